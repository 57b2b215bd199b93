/** All series, in the order in which they are told. */
import type { Family } from '../family.ts';
import { CACHE_FAMILIES } from './cache.ts';
import { HTTP_FAMILIES } from './http.ts';
import { PROCESS_FAMILIES } from './processes.ts';
import { STORE_FAMILIES } from './store.ts';

export const FAMILIES: readonly Family[] = [
  ...CACHE_FAMILIES,
  ...HTTP_FAMILIES,
  ...STORE_FAMILIES,
  ...PROCESS_FAMILIES,
];
