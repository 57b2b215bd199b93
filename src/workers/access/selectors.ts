/**
 * Who has to do with a purge: a token for some keys with purges of those alone, since entries with a tag may have
 * any key.
 */
import type { FastifyRequest } from 'fastify';
import { BigCacheError } from '../../protocol/errors.ts';
import type { PurgeSelector } from '../../protocol/purge.ts';
import { askerOf } from './principal.ts';

/** Whether the asker has to do with purges of `selector`. */
export function maySelect(request: FastifyRequest, selector: PurgeSelector): boolean {
  const { keyPrefix } = askerOf(request);
  return 'prefix' in selector ? selector.prefix.startsWith(keyPrefix) : keyPrefix === '';
}

/** Throws KEY_REFUSED or STORE_WIDE_REFUSED unless `maySelect`. */
export function allowSelector(request: FastifyRequest, selector: PurgeSelector): void {
  if (maySelect(request, selector)) return;
  throw new BigCacheError('prefix' in selector ? 'KEY_REFUSED' : 'STORE_WIDE_REFUSED');
}
