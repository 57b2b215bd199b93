/** Rows 88 to 100 and 105 to 106c: raw bodies, removals and administration. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from '../../raw-http.ts';
import { row } from './row.ts';
import { assertRefusal, jsonOf, SharedServer } from './shared-server.ts';

const server = SharedServer.withArguments(() => ['--workers', '2']);

const deletedBy = async (prefix: string): Promise<number> =>
  Number(jsonOf(await server.ask(`DELETE /prefix/${prefix}`))['deleted']);

/** Stores raw entries by the hundred on one connection. */
async function storeMany(keys: readonly string[]): Promise<void> {
  const head = (key: string) => `POST /pickle/${key} HTTP/1.1\r\nHost: localhost\r\n`;
  for (let at = 0; at < keys.length; at += 100) {
    const asked = keys.slice(at, at + 100).map((key) => `${head(key)}Content-Length: 1\r\n\r\nx`);
    const answers = await server.exchange(asked.join('') + request('GET /healthz'));
    assert.ok(answers.every(({ status }) => status === 200));
  }
}

const keysOf = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, nth) => `${prefix}${nth}`);

row('88', async () => {
  for (const asked of [
    request('POST /pickle/empty', ['Content-Length: 0']),
    request('POST /pickle/empty'),
  ]) {
    assert.equal((await server.answer(asked)).status, 200);
    const { status, body } = await server.ask('GET /pickle/empty');
    assert.deepEqual([status, body.length], [200, 0]);
  }
});

row('89', async () => {
  const bytes = Buffer.from([0x80, 0x04, 0, 0xff]);
  assert.equal((await server.ask('POST /pickle/typeless', [], bytes)).status, 200);
  assert.deepEqual((await server.ask('GET /pickle/typeless')).body, bytes);
});

row('90', async () => {
  await server.ask('POST /pickle/raw', [], 'bytes');
  await server.refuses(request('GET /cache/raw'), 409, 'KIND_MISMATCH');
});

row('91', async () => {
  for (const mount of ['cache', 'pickle']) {
    await server.refuses(request(`DELETE /${mount}/none`), 404, 'DELETE_MISS');
  }
});

row('92', async () => {
  const type = 'Content-Type: application/json';
  await server.store('typed');
  assert.equal((await server.ask('DELETE /cache/typed', [type])).status, 200);
  assertRefusal(await server.ask('DELETE /cache/typed', [type]), 404, 'DELETE_MISS');
});

row('93', async () => {
  await server.ask('PUT /v1/entries/ranged', [], '0123456789');
  const { status, body } = await server.ask('GET /v1/entries/ranged', ['Range: bytes=9-1']);
  assert.deepEqual([status, body.toString()], [200, '0123456789']);
});

row('94', async () => {
  for (const target of ['/prefix/', '/prefix//']) {
    await server.refuses(request(`DELETE ${target}`), 400, 'PREFIX_EMPTY');
  }
  await storeMany(['a/1', 'a/2', 'ab']);
  assert.equal(await deletedBy('a/'), 2);
  assert.equal((await server.ask('GET /pickle/ab')).status, 200);
});

row('95', async () => {
  await server.refuses(request(`DELETE /prefix/${'k'.repeat(8193)}`), 414, 'KEY_TOO_LONG');
});

row('96', async () => {
  for (let round = 0; round < 4; round++) {
    const prefix = `left/${round}/`;
    await storeMany(keysOf(prefix, 200));
    const socket = server.connect();
    await once(socket, 'connect');
    await new Promise((resolve) => socket.write(request(`DELETE /prefix/${prefix}`), resolve));
    const closed = once(socket, 'close');
    socket.resetAndDestroy();
    await closed;
    const statuses = await Promise.all(
      [0, 99, 199].map(async (nth) => (await server.ask(`GET /pickle/${prefix}${nth}`)).status),
    );
    // It may come before or after these, or not at all; what it takes, it takes at once.
    const left = await deletedBy(prefix);
    assert.ok(left === 0 || left === 200, `${left} are left`);
    if (left === 200) assert.deepEqual(statuses, [200, 200, 200]);
    assert.equal((await server.ask(`GET /pickle/${prefix}7`)).status, 404);
  }
});

row('97', async () => {
  await storeMany([...keysOf('two/a/', 100), ...keysOf('two/b/', 100)]);
  const before = await server.count();
  const [inner, outer] = await Promise.all([deletedBy('two/a/'), deletedBy('two/')]);
  assert.equal(inner + outer, 200, `${inner} and ${outer}`);
  assert.equal(await server.count(), before - 200);
});

row('98', async () => {
  const last = '%F4%8F%BF%BF';
  await storeMany([`x${last}`, `x${last}1`, `x${last}${last}`, 'x', 'y']);
  assert.equal(await deletedBy(`x${last}`), 3);
  for (const key of ['x', 'y']) {
    assert.equal((await server.ask(`GET /pickle/${key}`)).status, 200);
  }
  await server.refuses(request('DELETE /prefix/%ff'), 400, 'TARGET_INVALID');
});

row('99', async () => {
  const before = await server.count();
  for (const sign of [
    'Origin: http://localhost',
    'Referer: http://localhost/docs',
    'Sec-Fetch-Site: none',
    'Sec-Purpose: prefetch',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64)',
  ]) {
    await server.refuses(request('GET /clear', [sign]), 403, 'ADMIN_GET_REFUSED');
  }
  assert.equal(await server.count(), before);
});

row('100', async () => {
  for (const sign of [
    'Origin: https://evil.example',
    'Origin: null',
    'Sec-Fetch-Site: same-site',
  ]) {
    for (const target of ['/clear', '/cache/a', '/pickle/a']) {
      await server.refuses(request(`POST ${target}`, [sign]), 403, 'ORIGIN_REFUSED');
    }
  }
});

row('105', async () => {
  assert.equal((await server.ask('POST /close')).status, 200);
  for (const line of ['GET /cache/a', 'POST /pickle/a', 'DELETE /prefix/a', 'GET /stat/count']) {
    const answer = await server.refuses(request(line), 503, 'STORE_CLOSED');
    assert.ok(answer.headers.has('retry-after'), line);
  }
  assert.equal((await server.ask('POST /open')).status, 200);
  await server.refuses(request('GET /cache/none'), 404, 'CACHE_MISS');
});

row('106', async () => {
  await server.store('cleared');
  const both = await Promise.all([server.ask('POST /clear'), server.ask('GET /clear')]);
  assert.deepEqual(
    both.map(({ status }) => status),
    [200, 200],
  );
  assert.equal(await server.count(), 0);
});

row('106b', async () => {
  await server.store('kept');
  const { status, headers } = await server.ask('HEAD /clear');
  assert.deepEqual([status, headers.get('allow')], [405, 'GET, POST']);
  assert.equal(await server.count(), 1);
});

row('106c', async () => {
  const answer = await fetch(`${server.process.url}/clear`, { headers: { connection: 'close' } });
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /All cache deleted/);
});
