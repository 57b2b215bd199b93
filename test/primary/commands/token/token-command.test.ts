/** `bigcache token`: what it prints is a token and the entry that a server knows it by. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseTokenList } from '../../../../src/primary/access/token-list.ts';
import { runToken } from '../../../../src/primary/commands/token/command.ts';
import { UsageError } from '../../../../src/primary/exit.ts';
import { Tokens } from '../../../../src/workers/access/tokens.ts';

async function made(flags: Record<string, string>): Promise<{ token: string; entry: string }> {
  let text = '';
  const code = await runToken(flags, (part) => {
    text += part;
  });
  assert.equal(code, 0);
  return {
    token: /^ {2}(bct_[A-Za-z0-9_-]{43})$/m.exec(text)?.[1] ?? '',
    entry: /^ {2}(\{.*\})$/m.exec(text)?.[1] ?? '',
  };
}

describe('bigcache token', () => {
  it('prints an entry that the token file takes and the server knows', async () => {
    const flags = { name: 'shop', scopes: 'read, write', keyPrefix: 'shop/' };
    const { token, entry } = await made(flags);
    assert.ok(!entry.includes(token));
    const tokens = new Tokens(parseTokenList(`[${entry}]`));
    const principal = tokens.whoSent(`Bearer ${token}`);
    assert.deepEqual([...(principal?.scopes ?? [])], ['read', 'write']);
    assert.equal(principal?.keyPrefix, 'shop/');
    assert.equal(new URL(`http://x:${token}@host/`).password, token);
  });

  it('never makes the same token twice', async () => {
    const [one, other] = [
      await made({ name: 'a', scopes: 'read' }),
      await made({ name: 'a', scopes: 'read' }),
    ];
    assert.notEqual(one.token, other.token);
  });

  it('refuses what the token file would refuse', async () => {
    for (const flags of [
      { name: 'a b', scopes: 'read' },
      { name: 'a', scopes: 'all' },
      { name: 'a', scopes: '' },
      { name: 'a', scopes: 'read', keyPrefix: '/a' },
    ]) {
      await assert.rejects(made(flags), UsageError, JSON.stringify(flags));
    }
  });
});
