import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  INTEGER_MAX,
  INTEGER_MIN,
  incrementedFromWire,
  incrementedToWire,
  integerOf,
} from '../../src/protocol/counter.ts';
import { Kind } from '../../src/protocol/record.ts';
import { withLifetime } from '../../src/protocol/record-changes.ts';

const int64 = fc.bigInt({ min: INTEGER_MIN, max: INTEGER_MAX });

describe('an integer', () => {
  it('is read from its digits exactly, and crosses the channel so', () => {
    fc.assert(
      fc.property(int64, (value) => {
        assert.equal(integerOf(String(value)), value);
        assert.deepEqual(incrementedFromWire(incrementedToWire({ value })), { value });
      }),
    );
  });

  it('is nothing but what JSON writes as one, within 64 bits', () => {
    for (const text of [String(INTEGER_MAX + 1n), String(INTEGER_MIN - 1n), '', '-', '1 ', '0x1']) {
      assert.equal(integerOf(text), undefined, text);
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const value = integerOf(text);
        if (value !== undefined) assert.equal(BigInt(text), value);
      }),
    );
    for (const wire of [undefined, null, 'x', [], 1n]) {
      assert.equal(incrementedFromWire(wire), undefined);
    }
    const elsewhere = { value: undefined, version: 7 };
    assert.deepEqual(incrementedFromWire(incrementedToWire(elsewhere)), elsewhere);
  });
});

describe('another lifetime', () => {
  const bare = {
    ...{ kind: Kind.json, version: 3, storedAtMs: 5, plainBytes: 0, storedBytes: 0, costMs: 0 },
    ...{ pointer: { segment: 1, offset: 1 }, checksums: Buffer.alloc(0), etag: null, tags: [] },
    ...{ contentType: null, contentEncoding: null, expire: 1, duration: '1s' },
  };

  it('moves the windows along, and never past what a time can be', () => {
    const times = fc.record({
      expiresAtMs: fc.nat(1_000_000),
      window: fc.nat(1_000_000),
      ttlMs: fc.nat(1_000_000),
      nowMs: fc.integer({ min: 1, max: 1_000_000 }),
    });
    fc.assert(
      fc.property(times, ({ expiresAtMs, window, ttlMs, nowMs }) => {
        const until = window === 0 || expiresAtMs === 0 ? 0 : expiresAtMs + window;
        const windows = { staleWhileRevalidateUntilMs: until, staleIfErrorUntilMs: 0 };
        const changed = withLifetime({ ...bare, expiresAtMs, ...windows }, ttlMs, nowMs);
        assert.equal(changed.expiresAtMs, ttlMs === 0 ? 0 : nowMs + ttlMs);
        const kept = changed.staleWhileRevalidateUntilMs;
        assert.equal(kept, until === 0 || ttlMs === 0 ? 0 : changed.expiresAtMs + window);
        assert.equal(changed.staleIfErrorUntilMs, 0);
        assert.equal(changed.version, 3);
      }),
    );
    const ever = { staleWhileRevalidateUntilMs: Number.MAX_SAFE_INTEGER, staleIfErrorUntilMs: 0 };
    const changed = withLifetime({ ...bare, expiresAtMs: 10, ...ever }, 1000, 1000);
    assert.equal(changed.staleWhileRevalidateUntilMs, Number.MAX_SAFE_INTEGER);
  });
});
