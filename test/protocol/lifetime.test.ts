import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  lifetimeFromExpire,
  lifetimeFromSeconds,
  parseDuration,
  parseExpire,
} from '../../src/protocol/lifetime.ts';

const invalid = (code: string) => ({ name: 'BigCacheError', code });

test('a duration has at most 64 characters', () => {
  assert.equal(parseDuration(`1d${'a'.repeat(62)}`), 86_400);
  assert.equal(parseDuration(`${'0'.repeat(62)}2s`), 2);
  for (const duration of [
    `1d${'a'.repeat(63)}`,
    `${'0'.repeat(63)}2s`,
    `1d${'a'.repeat(70_000)}`,
  ]) {
    assert.throws(() => parseDuration(duration), invalid('DURATION_INVALID'));
  }
});

test('a time before 1970 is a time that has passed', () => {
  for (const expire of [-1, -0.001, -1e300, '-1', '-1e308']) {
    const parsed = parseExpire(expire);
    assert.equal(parsed, Number(expire));
    assert.deepEqual(lifetimeFromExpire(parsed), { expiresAtMs: 1, expire: Number(expire) });
  }
});

test('what is no finite number is no time', () => {
  for (const expire of [Number.NaN, Infinity, -Infinity, '1e999', '-1e999', 'NaN', '', true, []]) {
    assert.throws(() => parseExpire(expire), invalid('EXPIRE_INVALID'));
  }
});

test('null is no lifetime, and the latest times stay integers that are safe', () => {
  assert.equal(parseExpire(null), null);
  assert.equal(parseDuration(null), null);
  assert.deepEqual(lifetimeFromExpire(null), { expiresAtMs: 0, expire: null });
  assert.equal(lifetimeFromExpire(1e308).expiresAtMs, Number.MAX_SAFE_INTEGER);
  assert.deepEqual(lifetimeFromSeconds(2, 500), { expiresAtMs: 2500, expire: 2.5 });
});
