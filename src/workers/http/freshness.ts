/**
 * How long an entry is fresh and how long it may be shown stale (RFC 9111 section 4.2, RFC 5861): from
 * the headers of the request that stores it, and into those of the answers that show it.
 */
import { BigCacheError } from '../../protocol/errors.ts';
import { deltaSeconds, FIELD_LENGTH_MAX, parseDirectives } from './cache-directives.ts';

/** Unix milliseconds; 0 stands for never, and for no window. */
export interface Freshness {
  readonly expiresAtMs: number;
  readonly staleWhileRevalidateUntilMs: number;
  readonly staleIfErrorUntilMs: number;
}

/** An entry that never expires. */
export const EVER_FRESH: Freshness = {
  expiresAtMs: 0,
  staleWhileRevalidateUntilMs: 0,
  staleIfErrorUntilMs: 0,
};

export interface FreshnessFields {
  readonly cacheControl: string | undefined;
  readonly expires: string | undefined;
}

/**
 * The freshness that a request to store asks for: `max-age`, or else `Expires`, or else for ever. Windows
 * begin where the freshness ends. Throws REQUEST_INVALID for a directive that is no number of seconds, and
 * for a Cache-Control of over 2,048 characters, which would be kept for ever unread.
 */
export function freshnessOf({ cacheControl, expires }: FreshnessFields, nowMs: number): Freshness {
  if (cacheControl !== undefined && cacheControl.length > FIELD_LENGTH_MAX) {
    throw new BigCacheError(
      'REQUEST_INVALID',
      `Cache-Control has at most ${FIELD_LENGTH_MAX} characters.`,
    );
  }
  const directives = parseDirectives(cacheControl);
  const seconds = (name: string): number | undefined => {
    const value = deltaSeconds(directives, name);
    if (Number.isNaN(value)) {
      throw new BigCacheError(
        'REQUEST_INVALID',
        `${name} in Cache-Control is a number of seconds.`,
      );
    }
    return value;
  };
  const maxAge = seconds('max-age');
  const staleWhileRevalidate = seconds('stale-while-revalidate') ?? 0;
  const staleIfError = seconds('stale-if-error') ?? 0;
  const expiresAtMs = maxAge === undefined ? expiresAt(expires, nowMs) : nowMs + maxAge * 1000;
  if (expiresAtMs === 0) return EVER_FRESH;
  const windowUntil = (window: number): number => (window === 0 ? 0 : expiresAtMs + window * 1000);
  return {
    expiresAtMs,
    staleWhileRevalidateUntilMs: windowUntil(staleWhileRevalidate),
    staleIfErrorUntilMs: windowUntil(staleIfError),
  };
}

/** RFC 9111 section 5.3: a date that cannot be read has passed. */
function expiresAt(field: string | undefined, nowMs: number): number {
  if (field === undefined) return 0;
  const atMs = Date.parse(field);
  return Number.isNaN(atMs) ? nowMs : Math.max(atMs, 1);
}

/** Seconds for which the entry is still fresh, rounded down; negative when it is stale. */
export function ttlSeconds({ expiresAtMs }: Pick<Freshness, 'expiresAtMs'>, nowMs: number): number {
  return Math.floor((expiresAtMs - nowMs) / 1000);
}

/** Whether the entry has expired, and is shown only because its windows allow it. */
export function isStale({ expiresAtMs }: Pick<Freshness, 'expiresAtMs'>, nowMs: number): boolean {
  return expiresAtMs !== 0 && expiresAtMs <= nowMs;
}

/** RFC 9111 section 1.2.2: as good as for ever, and within what every cache can read. */
const DELTA_SECONDS_MAX = 2 ** 31;

export interface Shown extends Freshness {
  readonly storedAtMs: number;
}

/**
 * `Cache-Control` of an answer that shows the entry: the whole lifetime, of which `Age` has passed, and
 * its windows. What is stale is stale for the caches on the way too: rounding up must not give it a second
 * that it does not have, as after a soft purge.
 */
export function cacheControlOf(shown: Shown, nowMs: number): string | undefined {
  const { storedAtMs, expiresAtMs, staleWhileRevalidateUntilMs, staleIfErrorUntilMs } = shown;
  if (expiresAtMs === 0) return undefined;
  const window = (name: string, untilMs: number): string => {
    const seconds = Math.min(DELTA_SECONDS_MAX, Math.floor((untilMs - expiresAtMs) / 1000));
    return untilMs > expiresAtMs ? `, ${name}=${seconds}` : '';
  };
  const lifetime = Math.max(0, Math.ceil((expiresAtMs - storedAtMs) / 1000));
  const maxAge = isStale(shown, nowMs) ? Math.min(lifetime, ageSeconds(shown, nowMs)) : lifetime;
  return (
    `max-age=${maxAge}` +
    window('stale-while-revalidate', staleWhileRevalidateUntilMs) +
    window('stale-if-error', staleIfErrorUntilMs)
  );
}

/** `Age`: whole seconds since the entry was stored. */
export function ageSeconds({ storedAtMs }: Pick<Shown, 'storedAtMs'>, nowMs: number): number {
  return Math.max(0, Math.floor((nowMs - storedAtMs) / 1000));
}
