import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BigCacheError, type ErrorCode } from '../../src/protocol/errors.ts';
import {
  isCanonicalKey,
  isCanonicalPrefix,
  KEY_BYTES_MAX,
  keyFromTarget,
  prefixFromTarget,
} from '../../src/protocol/key.ts';

const read = (target: string) => keyFromTarget(target, 'read');

function refuses(act: () => unknown, code: ErrorCode): void {
  assert.throws(act, (error) => error instanceof BigCacheError && error.code === code);
}

const KEYS: readonly (readonly [target: string, key: string])[] = [
  ['a', 'a'],
  ['//a//b/', 'a//b'],
  ['a%2Fb', 'a/b'],
  ['%2Fa%2f', 'a'],
  ['a%252Fb', 'a%2Fb'],
  ['a?x=1', 'a?x=1'],
  ['a?x=2', 'a?x=2'],
  ['a%3Fx=1', 'a?x=1'],
  ['a/%3fx=1', 'a?x=1'],
  ['a/?x=1/', 'a?x=1/'],
  ['a%3Fx=1?y=2', 'a?x=1?y=2'],
  ['a?', 'a'],
  ['a%3F', 'a'],
  ['?page=1', '?page=1'],
  ['/?page=1', '?page=1'],
  ['a;b=1', 'a;b=1'],
  ['a+b', 'a+b'],
  ['a%20b', 'a b'],
  ['a?q=c%2b%2b', 'a?q=c%2B%2B'],
  ['a?q=c++', 'a?q=c++'],
  ['a?q=%C7%D1', 'a?q=%C7%D1'],
  ['a%3Fq=%C7%D1', 'a?q=%C7%D1'],
  ['a%3Fq=%20%23', 'a?q=%20%23'],
  ['a%3Fq=%25c3', 'a?q=%C3'],
  ['a?q=%zz', 'a?q=%zz'],
  ['__proto__', '__proto__'],
  ['constructor', 'constructor'],
  ['%F0%9F%90%98', '🐘'],
  ['stat/count', 'stat/count'],
  ['../stat', '../stat'],
];

for (const [target, key] of KEYS) {
  test(`the target ${target} names the key ${key}`, () => {
    assert.equal(read(target), key);
    assert.ok(isCanonicalKey(key));
  });
}

const REFUSED: readonly (readonly [target: string, code: ErrorCode])[] = [
  ['', 'KEY_EMPTY'],
  ['///', 'KEY_EMPTY'],
  ['%2F', 'KEY_EMPTY'],
  ['?', 'KEY_EMPTY'],
  ['%zz', 'KEY_INVALID'],
  ['%', 'KEY_INVALID'],
  ['%ff%fe', 'KEY_INVALID'],
  ['a%00b', 'KEY_INVALID'],
  ['a%0d%0aX:1', 'KEY_INVALID'],
  ['%7f', 'KEY_INVALID'],
  ['%1b[31m', 'KEY_INVALID'],
  ['%C2%85', 'KEY_INVALID'],
  ['\u00e9', 'TARGET_INVALID'],
  ['a?q=\u00e9', 'TARGET_INVALID'],
  ['a b', 'TARGET_INVALID'],
  ['a#b', 'TARGET_INVALID'],
];

for (const [target, code] of REFUSED) {
  test(`the target ${JSON.stringify(target)} is refused with ${code}`, () => {
    refuses(() => read(target), code);
  });
}

test('dot segments are refused on writes and are ordinary misses on reads', () => {
  for (const target of ['../stat', '%2e%2e/stat', 'a/./b', '.', '..', 'a/..', 'a%2F..?x=1']) {
    refuses(() => keyFromTarget(target, 'write'), 'KEY_INVALID');
    assert.ok(isCanonicalKey(read(target)));
  }
  for (const target of ['a..b', '...', 'a?x=/../y', '.hidden']) {
    assert.ok(isCanonicalKey(keyFromTarget(target, 'write')));
  }
});

test('a key has at most 8192 bytes, counted in UTF-8', () => {
  assert.equal(read('k'.repeat(KEY_BYTES_MAX)).length, KEY_BYTES_MAX);
  refuses(() => read('k'.repeat(KEY_BYTES_MAX + 1)), 'KEY_TOO_LONG');
  assert.equal(read('%C3%A9'.repeat(KEY_BYTES_MAX / 2)).length, KEY_BYTES_MAX / 2);
  refuses(() => read(`${'%C3%A9'.repeat(KEY_BYTES_MAX / 2)}a`), 'KEY_TOO_LONG');
  assert.equal(isCanonicalKey('k'.repeat(KEY_BYTES_MAX + 1)), false);
});

test('composed and decomposed syllables are two keys', () => {
  assert.notEqual(
    read(encodeURIComponent('한'.normalize('NFC'))),
    read(encodeURIComponent('한'.normalize('NFD'))),
  );
});

test('a prefix loses leading slashes only', () => {
  assert.equal(prefixFromTarget('a/'), 'a/');
  assert.equal(prefixFromTarget('//a/'), 'a/');
  assert.equal(prefixFromTarget('a%2F'), 'a/');
  assert.equal(prefixFromTarget('%F4%8F%BF%BF'), '\u{10FFFF}');
  assert.equal(prefixFromTarget('a?page='), 'a?page=');
  assert.equal(prefixFromTarget('/a/?page='), 'a?page=');
  assert.equal(prefixFromTarget('a?'), 'a?');
});

test('a prefix that is empty, too long or no UTF-8 is refused', () => {
  refuses(() => prefixFromTarget(''), 'PREFIX_EMPTY');
  refuses(() => prefixFromTarget('/'), 'PREFIX_EMPTY');
  refuses(() => prefixFromTarget('k'.repeat(KEY_BYTES_MAX + 1)), 'KEY_TOO_LONG');
  refuses(() => prefixFromTarget('a%ff'), 'KEY_INVALID');
});

test('keys that no target could have named are not canonical', () => {
  for (const key of [
    '',
    '/a',
    'a/',
    'a?',
    'a\u0000',
    'a\u007f',
    'a\ud800',
    'a?b c',
    'a?%c3',
    'a?é',
    'a?#',
    'a/?b',
  ]) {
    assert.equal(isCanonicalKey(key), false, JSON.stringify(key));
  }
});

const targets = fc.oneof(
  fc.webPath({ size: 'medium' }),
  fc.string({ unit: 'binary' }).map(encodeURIComponent),
  fc
    .array(
      fc.constantFrom('a', '/', '?', '%', '%2f', '%3F', '%25', '%c3', '%A9', '.', '=', '%20', '#'),
    )
    .map((parts) => parts.join('')),
);

test('every key that a target names is canonical, and names itself when it is sent again', () => {
  fc.assert(
    fc.property(targets, (target) => {
      let key: string;
      try {
        key = read(target);
      } catch (error) {
        assert.ok(error instanceof BigCacheError);
        return;
      }
      assert.ok(isCanonicalKey(key), key);
      const mark = key.indexOf('?');
      const path = mark === -1 ? key : key.slice(0, mark);
      const query = mark === -1 ? '' : key.slice(mark);
      assert.equal(read(encodeURIComponent(path) + query), key);
      assert.equal(read(encodeURIComponent(key).replaceAll('%2F', '/')), key);
    }),
    { numRuns: 2000 },
  );
});

test('a target without triplets and without a query is its own key, slashes at the ends aside', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9._~+;=:@!$&'()*,-]{1,40}$/), (path) => {
      assert.equal(read(`/${path}/`), path);
    }),
  );
});

test('a canonical prefix is exactly what canonical keys can begin with', () => {
  for (const prefix of ['a', 'a/', 'a//', '?', '?x', 'a?', 'a?x=%2B', 'a?x=%2', '캐']) {
    assert.ok(isCanonicalPrefix(prefix), prefix);
  }
  for (const prefix of ['', '/', '/a', 'a/?', 'a?x=%2b', 'a? ', 'a?é', 'a\n', '\ud800']) {
    assert.equal(isCanonicalPrefix(prefix), false, JSON.stringify(prefix));
  }
  assert.equal(isCanonicalPrefix('k'.repeat(KEY_BYTES_MAX + 1)), false);
  const letter = fc.constantFrom('a', 'b', '/', '?', '%', '2', 'f', 'F', '.', 'é', '😀', '\n');
  fc.assert(
    fc.property(fc.array(letter, { minLength: 1, maxLength: 12 }), (letters) => {
      const text = letters.join('');
      if (isCanonicalPrefix(text)) assert.ok(isCanonicalKey(`${text}x`), text);
      if (!isCanonicalKey(text)) return;
      for (let cut = 1; cut <= letters.length; cut++) {
        const prefix = letters.slice(0, cut).join('');
        assert.ok(isCanonicalPrefix(prefix), `${prefix} of ${text}`);
      }
    }),
  );
});
