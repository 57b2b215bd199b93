/** Cache-Control of requests that store, and what it makes of answers. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import {
  DELTA_SECONDS_MAX,
  deltaSeconds,
  parseDirectives,
} from '../../../src/workers/http/cache-directives.ts';
import {
  ageSeconds,
  cacheControlOf,
  EVER_FRESH,
  freshnessOf,
  ttlSeconds,
} from '../../../src/workers/http/freshness.ts';

const NOW = 1_700_000_000_000;
const freshness = (cacheControl?: string, expires?: string) =>
  freshnessOf({ cacheControl, expires }, NOW);

describe('the directives of Cache-Control', () => {
  it('are read in any case, with tokens and quoted values', () => {
    const read = parseDirectives('Max-Age=60, no-cache="a, \\"b\\"" ,must-revalidate,,x=');
    assert.deepEqual(
      [...read],
      [
        ['max-age', '60'],
        ['no-cache', 'a, "b"'],
        ['must-revalidate', ''],
        ['x', ''],
      ],
    );
  });

  it('are left out where they cannot be read, and the first of several counts', () => {
    assert.deepEqual(
      [...parseDirectives('max-age=1, max age=2, =3, max-age=4')],
      [['max-age', '1']],
    );
    assert.deepEqual([...parseDirectives('max-age=1, x="a, b')], [], 'a quote is left open');
    assert.deepEqual([...parseDirectives('max-age=1,"a" "b",no-store')].length, 2);
    assert.deepEqual([...parseDirectives(undefined)], []);
    assert.deepEqual([...parseDirectives(`max-age=1${' '.repeat(4000)}`)], []);
  });

  it('take no longer where very many commas stand before a quote that is left open', () => {
    const startMs = performance.now();
    for (let nth = 0; nth < 1000; nth++) parseDirectives(`${','.repeat(2040)}"`);
    // It was 3 to 9 ms for each, and is some microseconds.
    assert.ok(performance.now() - startMs < 1000);
  });

  it('give seconds up to 2^31, and NaN for what is no number', () => {
    const read = parseDirectives('a=5, b=99999999999999999999, c=-1, d=1.5, e');
    assert.equal(deltaSeconds(read, 'a'), 5);
    assert.equal(deltaSeconds(read, 'b'), DELTA_SECONDS_MAX);
    for (const name of ['c', 'd', 'e']) assert.ok(Number.isNaN(deltaSeconds(read, name)));
    assert.equal(deltaSeconds(read, 'f'), undefined);
  });
});

describe('the freshness of an entry', () => {
  it('is for ever where nothing is said', () => {
    assert.deepEqual(freshness(), EVER_FRESH);
    assert.deepEqual(freshness('public, stale-if-error=60'), EVER_FRESH);
    assert.equal(cacheControlOf({ ...EVER_FRESH, storedAtMs: NOW }, NOW), undefined);
  });

  it('follows max-age before Expires, and its windows begin where it ends', () => {
    const given = freshness(
      'max-age=60, stale-while-revalidate=30, stale-if-error=600',
      'Wed, 01 Jan 2031 00:00:00 GMT',
    );
    assert.deepEqual(given, {
      expiresAtMs: NOW + 60_000,
      staleWhileRevalidateUntilMs: NOW + 90_000,
      staleIfErrorUntilMs: NOW + 660_000,
    });
    const { expiresAtMs } = freshness(undefined, 'Wed, 01 Jan 2031 00:00:00 GMT');
    assert.equal(expiresAtMs, Date.UTC(2031, 0, 1));
  });

  it('has passed at once with max-age=0, and with an Expires that is no date', () => {
    assert.equal(freshness('max-age=0').expiresAtMs, NOW);
    assert.equal(freshness(undefined, '0').expiresAtMs <= NOW, true);
    assert.equal(freshness(undefined, 'soon').expiresAtMs, NOW);
  });

  it('is refused where Cache-Control is longer than is looked at', () => {
    const long = `max-age=1, ${'x'.repeat(2037)}`;
    assert.equal(freshness(long).expiresAtMs, NOW + 1000);
    assert.throws(() => freshness(`${long}x`), { code: 'REQUEST_INVALID' });
  });

  it('is refused where a directive is no number of seconds', () => {
    for (const field of ['max-age=a', 'max-age', 'max-age=1, stale-if-error=x']) {
      const isRefusal = (error: unknown): boolean =>
        error instanceof BigCacheError && error.code === 'REQUEST_INVALID';
      assert.throws(() => freshness(field), isRefusal);
    }
  });

  it('is over for every cache on the way once it is over here', () => {
    const [storedFor, passed] = [fc.integer({ min: 0, max: 100_000 }), fc.integer({ max: 5000 })];
    fc.assert(
      fc.property(storedFor, passed, (lifetimeMs, passedMs) => {
        const shown = { ...EVER_FRESH, storedAtMs: NOW, expiresAtMs: NOW + lifetimeMs };
        const nowMs = shown.expiresAtMs + Math.abs(passedMs);
        const read = parseDirectives(cacheControlOf(shown, nowMs));
        const maxAge = deltaSeconds(read, 'max-age') ?? assert.fail();
        assert.ok(maxAge <= ageSeconds(shown, nowMs), 'RFC 9111 4.2: fresh below max-age alone');
      }),
    );
  });

  it('comes back in Cache-Control, with Age and TTL that add up to it', () => {
    const seconds = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(
      fc.property(
        seconds,
        seconds,
        seconds,
        fc.integer({ min: 0, max: 1e9 }),
        (age, swr, sie, passedMs) => {
          const sent = `max-age=${age}, stale-while-revalidate=${swr}, stale-if-error=${sie}`;
          const given = freshness(sent);
          const shown = cacheControlOf({ ...given, storedAtMs: NOW }, NOW) ?? '';
          assert.deepEqual(freshnessOf({ cacheControl: shown, expires: undefined }, NOW), given);
          const now = NOW + passedMs;
          const sum = ageSeconds({ storedAtMs: NOW }, now) + ttlSeconds(given, now);
          assert.ok(sum === age || sum === age - 1, 'both are rounded down');
        },
      ),
    );
  });
});
