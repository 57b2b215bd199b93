/**
 * Who has to do with a purge: a token for some keys with purges of those alone, since entries with a tag may have
 * any key.
 */
import type { FastifyRequest } from 'fastify';
import type { PurgeSelector } from '../../protocol/purge.ts';
import { allowPrefix, allowStoreWide, askerOf } from './principal.ts';

/** Throws KEY_REFUSED or STORE_WIDE_REFUSED unless the asker has to do with purges of `selector`. */
export function allowSelector(request: FastifyRequest, selector: PurgeSelector): void {
  if ('prefix' in selector) allowPrefix(request, selector.prefix);
  else allowStoreWide(request);
}

/** Whether `allowSelector` would let the asker pass. */
export function maySeeSelector(request: FastifyRequest, selector: PurgeSelector): boolean {
  const { keyPrefix } = askerOf(request);
  return 'prefix' in selector ? selector.prefix.startsWith(keyPrefix) : keyPrefix === '';
}
