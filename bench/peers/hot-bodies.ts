/** The entries of the hot workloads, for the peers that are filled otherwise than by requests. */
import { randomBytes } from 'node:crypto';
import { HOT_PREFIX } from '../requests.ts';
import { HOT_ENTRIES } from '../workloads.ts';

/** Each with a body of its own, which cannot be compressed. */
export function* hotBodies(bodyBytes: number): Generator<readonly [key: string, body: Buffer]> {
  for (let nth = 0; nth < HOT_ENTRIES; nth++) yield [`${HOT_PREFIX}${nth}`, randomBytes(bodyBytes)];
}
