/** Who an Authorization header stands for. */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { describe, it } from 'node:test';
import { Tokens } from '../../../src/workers/access/tokens.ts';
import { basic, bearer, TOKENS, tokenFor } from './table-tokens.ts';

const nameOf = (tokens: Tokens, authorization: string): string | undefined =>
  tokens.whoSent(authorization)?.name;

describe('a token', () => {
  const tokens = new Tokens(TOKENS);

  it('is the credentials of Bearer, however the scheme is written', () => {
    for (const text of ['Bearer read-secret', 'bearer read-secret', 'BEARER   read-secret']) {
      assert.equal(nameOf(tokens, text), 'reader', text);
    }
  });

  it('is the password of Basic, whoever the user is', () => {
    for (const user of ['', 'x', 'reader', '사용자']) {
      assert.equal(nameOf(tokens, basic(user, 'read-secret').authorization), 'reader', user);
    }
    assert.equal(nameOf(tokens, basic('x', 'write-secret').authorization), 'writer');
  });

  it('may hold what a password may, a colon too', () => {
    const odd = new Tokens([tokenFor('odd', 'a:b c\u00e9', ['read'])]);
    assert.equal(nameOf(odd, basic('user', 'a:b c\u00e9').authorization), 'odd');
  });

  it('is taken at its whole length only', () => {
    for (const secret of ['read-secre', 'read-secretx', 'READ-SECRET', 'ead-secret']) {
      assert.equal(nameOf(tokens, bearer(secret).authorization), undefined, secret);
      assert.equal(nameOf(tokens, basic('x', secret).authorization), undefined, secret);
    }
  });

  it('is never its own digest', () => {
    assert.equal(nameOf(tokens, bearer(TOKENS[0]?.sha256 ?? '').authorization), undefined);
  });
});

describe('a hostile header', () => {
  const tokens = new Tokens([...TOKENS, tokenFor('short', 'x', ['read'])]);
  const encoded = Buffer.from('x:read-secret').toString('base64');
  const HOSTILE = [
    '',
    ' ',
    'Bearer',
    'Bearer ',
    'Basic',
    'Basic ',
    'read-secret',
    'Bearerread-secret',
    ' Bearer read-secret',
    'Bearer read-secret ',
    'Bearer read-secret, Bearer other',
    'Bearer read-secret\u0000',
    'Bearer\tread-secret',
    'Bearer "read-secret"',
    'Bearer x read-secret',
    'Digest username="x", response="read-secret"',
    'Token read-secret',
    `Bearer ${encoded}`,
    'Basic read-secret',
    `Basic ${encoded}!`,
    `Basic ${encoded}====`,
    `Basic ${Buffer.from('read-secret').toString('base64')}`,
    `Basic ${Buffer.from('read-secret:').toString('base64')}`,
    `Basic ${Buffer.from(':').toString('base64')}`,
    `Basic ${Buffer.from('x:read-secret\n').toString('base64')}`,
    `Basic ${Buffer.from('x:read-secret\0').toString('base64')}`,
    'Basic ====',
    `Bearer ${'a'.repeat(16_000)}`,
    `Basic ${'A'.repeat(16_000)}`,
    `Bearer ${'='.repeat(16_000)}`,
    `${' '.repeat(16_000)}Bearer x`,
    `Bearer${' '.repeat(16_000)}x`,
    '__proto__',
    'Bearer __proto__',
    'Bearer constructor',
  ];

  it('stands for nobody', () => {
    for (const text of HOSTILE) {
      assert.equal(nameOf(tokens, text), undefined, JSON.stringify(text.slice(0, 80)));
    }
  });
});

describe('the comparison', () => {
  it('goes through all tokens to the end, whichever matches', (t) => {
    const { timingSafeEqual } = crypto;
    const lengths: number[] = [];
    t.mock.method(crypto, 'timingSafeEqual', (one: Buffer, other: Buffer) => {
      lengths.push(one.length, other.length);
      return timingSafeEqual(one, other);
    });
    syncBuiltinESMExports();
    try {
      const tokens = new Tokens(TOKENS);
      for (const secret of ['read-secret', 'team-secret', 'nobody']) {
        lengths.length = 0;
        assert.equal(nameOf(tokens, `Bearer ${secret}`) === undefined, secret === 'nobody');
        assert.deepEqual(lengths, Array<number>(TOKENS.length * 2).fill(32), secret);
      }
    } finally {
      t.mock.restoreAll();
      syncBuiltinESMExports();
    }
  });
});

describe('tokens that are replaced', () => {
  it('are dead with the next request, and the new ones live', () => {
    const tokens = new Tokens([tokenFor('old', 'old', ['read'])]);
    assert.equal(nameOf(tokens, 'Bearer old'), 'old');
    tokens.replace([tokenFor('new', 'new', ['read'])]);
    assert.equal(nameOf(tokens, 'Bearer old'), undefined);
    assert.equal(nameOf(tokens, 'Bearer new'), 'new');
  });

  it('may be none, and then nobody may do anything', () => {
    const tokens = new Tokens([]);
    assert.equal(tokens.areNeeded, true);
    assert.equal(nameOf(tokens, 'Bearer old'), undefined);
  });
});
