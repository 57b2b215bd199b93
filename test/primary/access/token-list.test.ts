/** The token file: what is taken, and what each refusal says. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseTokenList, TokenListError } from '../../../src/primary/access/token-list.ts';
import { isAccess, TOKENS_MAX } from '../../../src/protocol/access.ts';

const DIGEST = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
const SHOP = { name: 'shop', sha256: DIGEST, scopes: ['read', 'write'], keyPrefix: 'shop/' };
const digest = (nth: number): string => nth.toString(16).padStart(64, '0');

function refuses(text: string, message: RegExp): void {
  assert.throws(
    () => parseTokenList(text),
    (error: unknown) => {
      assert.ok(error instanceof TokenListError);
      assert.match(error.message, message);
      return true;
    },
    text.slice(0, 200),
  );
}

const refusesEntry = (entry: unknown, message: RegExp): void =>
  refuses(JSON.stringify([SHOP, entry]), message);

describe('a token file', () => {
  it('is an array of entries, with a byte order mark or without', () => {
    for (const mark of ['', '\ufeff']) {
      assert.deepEqual(parseTokenList(`${mark}${JSON.stringify([SHOP])}`), [SHOP]);
    }
    assert.deepEqual(parseTokenList('[]'), []);
  });

  it('may write digests in upper case, and leave the keyPrefix out', () => {
    const { keyPrefix, ...all } = SHOP;
    const text = JSON.stringify([{ ...all, sha256: DIGEST.toUpperCase() }]);
    assert.deepEqual(parseTokenList(text), [all]);
    assert.equal(keyPrefix, 'shop/');
  });

  it('that is no JSON is refused by the place, without a piece of it', () => {
    for (const text of ['', '[', '[{"name": secret-token}]', "[{'a': 1}]", '[1,]', '// a\n[]']) {
      refuses(text, /^it is no JSON/);
    }
    refuses('[\n  {"name": secret-token}\n]', /^it is no JSON: see line 2, column 12$/);
  });

  it('that is JSON of another kind is refused', () => {
    for (const text of ['{}', 'null', '1', '"x"', '{"tokens": []}']) refuses(text, /JSON array/);
  });

  it('has a limit of entries', () => {
    const entries = (count: number): string =>
      JSON.stringify(
        Array.from({ length: count }, (_, nth) => ({
          ...SHOP,
          name: `n${nth}`,
          sha256: digest(nth),
        })),
      );
    const tokens = parseTokenList(entries(TOKENS_MAX));
    assert.equal(tokens.length, TOKENS_MAX);
    assert.ok(isAccess({ tokens, tls: null }));
    refuses(entries(TOKENS_MAX + 1), /257 entries; 256 are the most/);
  });
});

describe('an entry that is refused', () => {
  it('is named by its place, then by its name too', () => {
    refusesEntry(null, /^entry 2 must be an object/);
    refusesEntry([], /^entry 2 must be an object/);
    refusesEntry('x', /^entry 2 must be an object/);
    for (const name of [undefined, '', 1, 'a b', 'a\n', 'x'.repeat(65), 'é']) {
      refusesEntry({ ...SHOP, name }, /^entry 2: name must be 1 to 64 letters/);
    }
  });

  it('has a sha256 that is none, which is not repeated', () => {
    for (const sha256 of [undefined, '', 'my-secret', 7, DIGEST.slice(1), `${DIGEST}0`]) {
      refusesEntry(
        { ...SHOP, name: 'two', sha256 },
        /^entry 2 \("two"\): sha256 must be .*sha256sum/,
      );
    }
    assert.throws(
      () => parseTokenList(JSON.stringify([{ ...SHOP, sha256: 'my-secret' }])),
      (error: Error) => !error.message.includes('my-secret'),
    );
  });

  it('has the digest of an empty text', () => {
    const sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    refusesEntry({ ...SHOP, name: 'two', sha256 }, /sha256 is that of an empty text/);
  });

  it('has scopes that are none, or too many', () => {
    for (const scopes of [undefined, [], 'read', ['Read'], ['read', 'read'], ['all'], [null], {}]) {
      refusesEntry(
        { ...SHOP, name: 'two', sha256: digest(2), scopes },
        /^entry 2 \("two"\): scopes must list one or more of "read", "write", "admin"/,
      );
    }
  });

  it('has a keyPrefix with which no key begins', () => {
    for (const keyPrefix of [
      '',
      '/a',
      null,
      1,
      'a\n',
      'a/?x',
      'a?x=%2b',
      '\ud800',
      'x'.repeat(9000),
    ]) {
      refusesEntry(
        { ...SHOP, name: 'two', sha256: digest(2), keyPrefix },
        /^entry 2 \("two"\): keyPrefix must be the beginning of keys/,
      );
    }
  });

  it('has a member that nobody knows, as a misspelt keyPrefix', () => {
    for (const member of ['keyprefix', 'token', 'expires', '']) {
      const entry = { ...SHOP, name: 'two', sha256: digest(2), [member]: 'x' };
      refusesEntry(entry, /^entry 2 \("two"\) has a member that is none of name, sha256/);
    }
    refuses(
      `[{"name":"a","sha256":"${DIGEST}","scopes":["read"],"__proto__":{"keyPrefix":"x"}}]`,
      /has a member/,
    );
  });

  it('is the twin of another', () => {
    refusesEntry({ ...SHOP, sha256: digest(2) }, /^entries 1 and 2 \("shop"\) have the same name/);
    refusesEntry({ ...SHOP, name: 'two' }, /^entries 1 and 2 \("two"\) have the same sha256/);
  });
});

describe('what crosses the channel', () => {
  it('has the form of an access, or is refused', () => {
    assert.ok(isAccess({ tokens: null, tls: null }));
    assert.ok(isAccess({ tokens: [SHOP], tls: { cert: 'c', key: 'k' } }));
    for (const wrong of [
      undefined,
      null,
      {},
      { tokens: null },
      { tokens: {}, tls: null },
      { tokens: [{ ...SHOP, sha256: 'x' }], tls: null },
      { tokens: [{ ...SHOP, scopes: ['root'] }], tls: null },
      { tokens: [{ ...SHOP, keyPrefix: 1 }], tls: null },
      { tokens: [null], tls: null },
      { tokens: null, tls: { cert: 'c' } },
    ]) {
      assert.equal(isAccess(wrong), false, JSON.stringify(wrong));
    }
  });
});
