/** `/v1/keys` over HTTP. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Tokens } from '../../../src/workers/access/tokens.ts';
import { bearer, TOKENS } from '../access/table-tokens.ts';
import { type FixtureOptions, fixture } from '../app-fixture.ts';
import { JSON_META, RAW_META } from '../store/store-subject.ts';

interface Listed {
  readonly items: readonly { readonly key: string }[];
  readonly cursor: string | null;
  readonly code?: string;
}

function over(t: TestContext, options: FixtureOptions = {}) {
  const made = fixture(t, options);
  const list = async (query = '', headers: Record<string, string> = {}) => {
    const url = `/v1/keys${query}`;
    const answer = await made.app.inject({ url, headers: { host: 'localhost', ...headers } });
    return { status: answer.statusCode, ...answer.json<Listed>() };
  };
  const keysOf = async (query: string, headers?: Record<string, string>) =>
    (await list(query, headers)).items.map(({ key }) => key);
  return { ...made, list, keysOf };
}

test('an item says of an entry what the index knows', async (t) => {
  const nowMs = 1_700_000_000_250;
  const { app, store, list } = over(t, { now: () => nowMs });
  const expiresAtMs = nowMs + 1000;
  await store.put(
    'a/1',
    { ...RAW_META, expiresAtMs, tags: ['x', 'é'], costMs: 9 },
    Buffer.from('ab'),
  );
  await store.put('b', JSON_META, Buffer.from('1'));
  const { headers } = await app.inject({ url: '/v1/entries/a/1', headers: { host: 'localhost' } });
  const { status, items, cursor } = await list();
  assert.deepEqual([status, cursor, items.length], [200, null, 2]);
  assert.deepEqual(items[0], {
    ...{
      key: 'a/1',
      kind: 'raw',
      size: 2,
      storedAt: 1_700_000_000.25,
      expiresAt: 1_700_000_001.25,
    },
    ...{ tags: ['x', 'é'], etag: headers['etag'], costMs: 9 },
  });
  const { kind, expiresAt } = items[1] as unknown as { kind: string; expiresAt: null };
  assert.deepEqual([kind, expiresAt], ['json', null]);
});

test('pages follow each other by their cursors', async (t) => {
  const { store, list, keysOf } = over(t);
  const keys = Array.from({ length: 250 }, (_, nth) => `p/${String(nth).padStart(3, '0')}`);
  for (const key of [...keys, 'q', 'o']) await store.put(key, RAW_META, Buffer.from('x'));
  assert.equal((await list()).items.length, 100);
  const listed: string[] = [];
  let query = '?prefix=p/&limit=60';
  for (let pages = 0; pages < 6; pages++) {
    const { items, cursor } = await list(query);
    listed.push(...items.map(({ key }) => key));
    if (cursor === null) break;
    query = `?limit=60&cursor=${cursor}&prefix=p%2F`;
  }
  assert.deepEqual(listed, keys);
  assert.deepEqual(await keysOf('?prefix=p%2F24&limit=1000'), keys.slice(240));
  assert.deepEqual(await keysOf('?prefix=/q'), ['q']);
});

test('a prefix is decoded once, and its plus signs are plus signs', async (t) => {
  const { store, keysOf } = over(t);
  for (const key of ['a+b', 'a b', 'é?x=1', 'é?x=%20'])
    await store.put(key, RAW_META, Buffer.from('x'));
  assert.deepEqual(await keysOf('?prefix=a+'), ['a+b']);
  assert.deepEqual(await keysOf('?prefix=a%20'), ['a b']);
  assert.deepEqual(await keysOf(`?prefix=${encodeURIComponent('é?x=%20')}`), ['é?x=%20']);
});

test('a query that is not right is refused, and so is a cursor of another listing', async (t) => {
  const { store, list } = over(t);
  for (const key of ['a/1', 'a/2', 'b']) await store.put(key, RAW_META, Buffer.from('x'));
  for (const query of [
    'limit=0',
    'limit=1001',
    'limit=',
    'limit=1e1',
    'limit=1&limit=1',
    'pre=a',
  ]) {
    assert.equal((await list(`?${query}`)).code, 'REQUEST_INVALID', query);
  }
  assert.equal((await list('?prefix=%ff')).code, 'REQUEST_INVALID');
  assert.equal((await list('?prefix=/')).code, 'PREFIX_EMPTY');
  assert.equal((await list('?prefix=%00')).code, 'KEY_INVALID');
  const cursor = String((await list('?prefix=a/&limit=1')).cursor);
  assert.equal((await list(`?prefix=a/&cursor=${cursor}`)).status, 200);
  const cut = cursor.slice(0, -1);
  for (const query of [
    `cursor=${cursor}`,
    `prefix=a/&cursor=${cut}`,
    'cursor=AAAA',
    'cursor=%C3',
  ]) {
    const { status, code } = await list(`?${query}`);
    const expected = query.endsWith('%C3') ? 'REQUEST_INVALID' : 'CURSOR_INVALID';
    assert.deepEqual([status, code], [400, expected], query);
  }
});

test('a token with a keyPrefix sees its keys alone, whatever it asks with', async (t) => {
  const { store, list, keysOf } = over(t, { tokens: new Tokens(TOKENS) });
  for (const key of ['other/1', 'team/1', 'team/2', 'team2/1']) {
    await store.put(key, RAW_META, Buffer.from('x'));
  }
  const team = bearer('team-secret');
  for (const query of ['', '?prefix=t', '?prefix=team/']) {
    assert.deepEqual(await keysOf(query, team), ['team/1', 'team/2'], query);
  }
  assert.deepEqual(await keysOf('?prefix=team/2', team), ['team/2']);
  for (const prefix of ['other/', 'team2', 'x']) {
    assert.equal((await list(`?prefix=${prefix}`, team)).code, 'KEY_REFUSED');
  }
  const foreign = (await list('?limit=1', bearer('read-secret'))).cursor;
  assert.equal((await list(`?cursor=${foreign}`, team)).code, 'CURSOR_INVALID');
  const own = (await list('?limit=1', team)).cursor;
  assert.equal(Buffer.from(String(own), 'base64url').toString('latin1').slice(4), 'team/1');
});
