/** Rows 1 to 23: targets that name no key, and targets that only look as if they named none. */
import assert from 'node:assert/strict';
import { request } from '../../raw-http.ts';
import { row } from './row.ts';
import { assertRefusal, jsonOf, SharedServer } from './shared-server.ts';

const server = SharedServer.withArguments(() => ['--workers', '1']);

const get = (target: string) => request(`GET ${target}`);

row('1', async () => {
  await server.refuses(get('/cache/%zz'), 400, 'TARGET_INVALID');
});

row('2', async () => {
  await server.refuses(get('/cache/%ff%fe'), 400, 'TARGET_INVALID');
});

row('3', async () => {
  for (const target of ['/cache/\u00ea\u00b0\u0080', '/cache/a?q=\u00ea\u00b0\u0080']) {
    await server.refuses(get(target), 400, 'TARGET_INVALID');
  }
});

row('4', async () => {
  await server.refuses(get('/cache/a b'), 400, 'REQUEST_INVALID');
});

row('5', async () => {
  await server.refuses(get('/cache/a%00b'), 400, 'KEY_INVALID');
});

row('6', async () => {
  await server.refuses(get('/cache/a%0d%0aX:1'), 400, 'KEY_INVALID');
});

row('7', async () => {
  for (const target of ['/cache/%7f', '/cache/%1b[31m']) {
    await server.refuses(get(target), 400, 'KEY_INVALID');
  }
});

row('8', async () => {
  for (const target of ['/cache/', '/cache///', '/pickle/', '/v1/entries/']) {
    await server.refuses(get(target), 400, 'KEY_EMPTY');
  }
});

row('9', async () => {
  for (const target of ['/cache', '/cache?x=1']) {
    await server.refuses(get(target), 404, 'NOT_FOUND');
  }
});

row('10', async () => {
  await server.refuses(get(`/cache/${'k'.repeat(8193)}`), 414, 'KEY_TOO_LONG');
  assertRefusal(await server.ask(`GET /cache/${'k'.repeat(8192)}`), 404, 'CACHE_MISS');
});

row('11', async () => {
  await server.refuses(get(`/cache/${'k'.repeat(20_000)}`), 431, 'HEADERS_TOO_LARGE');
});

row('12', async () => {
  assert.equal(await server.store('//a//b/'), 'a//b');
});

row('13', async () => {
  assert.equal(await server.store('a%2Fb', '13'), 'a/b');
  assert.equal(jsonOf(await server.ask('GET /cache/a/b'))['value'], 13);
});

row('14', async () => {
  assert.equal(await server.store('a%252Fb'), 'a%2Fb');
});

row('15', async () => {
  for (const nth of [1, 2]) assert.equal(await server.store(`a?x=${nth}`, `${nth}`), `a?x=${nth}`);
  for (const nth of [1, 2]) {
    assert.equal(jsonOf(await server.ask(`GET /cache/a?x=${nth}`))['value'], nth);
  }
});

row('16', async () => {
  await server.refuses(get('/cache/a#b'), 400, 'TARGET_INVALID');
});

row('17', async () => {
  for (const target of ['/cache/../stat', '/cache/%2e%2e/stat', '/cache/a/./b']) {
    const body = '{"value":1}';
    assertRefusal(await server.ask(`POST ${target}`, [], body), 400, 'KEY_INVALID');
    await server.refuses(get(target), 404, 'CACHE_MISS');
  }
});

row('18', async () => {
  for (const key of ['a;b=1', 'a+b']) assert.equal(await server.store(key), key);
});

row('19', async () => {
  for (const key of ['__proto__', 'constructor']) {
    await server.refuses(get(`/cache/${key}`), 404, 'CACHE_MISS');
    assert.equal(await server.store(key), key);
    assert.equal((await server.ask(`DELETE /cache/${key}`)).status, 200);
    await server.refuses(get(`/cache/${key}`), 404, 'CACHE_MISS');
  }
});

row('20', async () => {
  const [composed, decomposed] = ['%ED%95%9C', '%E1%84%92%E1%85%A1%E1%86%AB'] as const;
  assert.equal(decodeURIComponent(decomposed).normalize('NFC'), decodeURIComponent(composed));
  await server.store(composed, '1');
  await server.store(decomposed, '2');
  assert.equal(jsonOf(await server.ask(`GET /cache/${composed}`))['value'], 1);
  assert.equal(jsonOf(await server.ask(`GET /cache/${decomposed}`))['value'], 2);
});

row('20b', async () => {
  assert.equal(await server.store('s?q=c%2B%2B', '1'), 's?q=c%2B%2B');
  assert.equal(await server.store('s?q=c++', '2'), 's?q=c++');
  assert.equal(jsonOf(await server.ask('GET /cache/s?q=c%2b%2b'))['value'], 1);
});

row('20c', async () => {
  assert.equal(await server.store('s?q=%C7%D1'), 's?q=%C7%D1');
  assert.equal((await server.ask('GET /cache/s?q=%c7%d1')).status, 200);
});

row('22', async () => {
  assert.equal(await server.store('%F0%9F%90%98', '"\u{1f418}"'), '\u{1f418}');
  assert.equal(jsonOf(await server.ask('GET /cache/%F0%9F%90%98'))['value'], '\u{1f418}');
});

row('23', async () => {
  for (const key of ['stat/count', 'docs']) {
    await server.refuses(get(`/cache/${key}`), 404, 'CACHE_MISS');
    assert.equal(await server.store(key), key);
  }
});
