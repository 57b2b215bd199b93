/**
 * Who asks, and what that one may do. Every request of a route that is not open has a principal; all
 * questions about it are answered here, and each is one line where it is asked.
 */
import type { FastifyRequest } from 'fastify';
import type { Scope, Token } from '../../protocol/access.ts';
import { BigCacheError, type ErrorCode } from '../../protocol/errors.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null on routes that are open to all, where nobody is asked who he is. */
    principal: Principal | null;
  }
}

export interface Principal {
  /** The name of the token, for logs; never secret. */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The beginning of all keys that may be touched; empty for every key. */
  readonly keyPrefix: string;
}

/** Whoever asks where no token is needed. */
export const ANYBODY: Principal = {
  name: 'anybody',
  scopes: new Set<Scope>(['read', 'write', 'admin']),
  keyPrefix: '',
};

export function principalOf({ name, scopes, keyPrefix = '' }: Token): Principal {
  return { name, scopes: new Set(scopes), keyPrefix };
}

/**
 * Who asks. Throws an Error where the route is open: it must not ask, and nothing may be allowed to
 * somebody who was never looked at.
 */
export function askerOf(request: FastifyRequest): Principal {
  if (request.principal === null) throw new Error('INVARIANT: an open route asks for no principal');
  return request.principal;
}

/**
 * Why `principal` may not do what needs `scope` to `key`, a canonical key; undefined when it may. For
 * items of a batch, which are judged one by one.
 */
export function refusalOf(principal: Principal, scope: Scope, key: string): ErrorCode | undefined {
  if (!principal.scopes.has(scope)) return 'SCOPE_REFUSED';
  return key.startsWith(principal.keyPrefix) ? undefined : 'KEY_REFUSED';
}

/** Throws KEY_REFUSED unless the asker may touch `key`, a canonical key. */
export function allowKey(request: FastifyRequest, key: string): void {
  if (!key.startsWith(askerOf(request).keyPrefix)) throw new BigCacheError('KEY_REFUSED');
}

/** Throws KEY_REFUSED unless the asker may touch every key that begins with `prefix`. */
export function allowPrefix(request: FastifyRequest, prefix: string): void {
  if (!prefix.startsWith(askerOf(request).keyPrefix)) throw new BigCacheError('KEY_REFUSED');
}

/**
 * The keys below `prefix` that the asker may see, as a prefix: a listing is narrowed to them. Throws
 * KEY_REFUSED where there are none.
 */
export function visiblePrefix(request: FastifyRequest, prefix: string): string {
  const { keyPrefix } = askerOf(request);
  if (keyPrefix.startsWith(prefix)) return keyPrefix;
  allowPrefix(request, prefix);
  return prefix;
}

/** Throws SCOPE_REFUSED unless the asker has `scope`, where a body asks for more than its route does. */
export function allowScope(request: FastifyRequest, scope: Scope): void {
  if (!askerOf(request).scopes.has(scope)) throw scopeRefused(scope);
}

export function scopeRefused(scope: Scope): BigCacheError {
  return new BigCacheError('SCOPE_REFUSED', `This needs a token with the scope "${scope}".`);
}
