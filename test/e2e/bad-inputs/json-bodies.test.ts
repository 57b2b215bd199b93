/** Rows 62 to 87, without the one that needs a quiet machine: bodies of POST /cache. */
import assert from 'node:assert/strict';
import type { ErrorCode } from '../../../src/protocol/errors.ts';
import { request } from '../../raw-http.ts';
import { row } from './row.ts';
import { assertRefusal, jsonOf, SharedServer } from './shared-server.ts';

const KiB = 1024;
const server = SharedServer.withArguments(() => ['--workers', '1', '--max-json', `${800 * KiB}B`]);

const post = (body: string | Buffer, ...headers: string[]) =>
  server.ask('POST /cache/j', headers, body);

async function refused(
  body: string | Buffer,
  status: number,
  code: ErrorCode,
  ...headers: string[]
): Promise<void> {
  const title = `${headers} ${body.toString().slice(0, 40)}`;
  assertRefusal(await post(body, ...headers), status, code, title);
}

/** The value comes back as the text that it was sent as. */
async function isKept(value: string): Promise<void> {
  const stored = await post(`{"value": ${value} }`);
  assert.equal(stored.body.toString(), `{"key":"j","value":${value},"expire":null}`);
  const read = await server.ask('GET /cache/j');
  assert.equal(read.body.toString(), `{"key":"j","value":${value},"expire":null,"duration":null}`);
}

async function isTaken(body: string): Promise<Readonly<Record<string, unknown>>> {
  const stored = await post(body);
  assert.equal(stored.status, 200, `${body}: ${stored.body}`);
  return jsonOf(stored);
}

async function hasExpired(): Promise<void> {
  assertRefusal(await server.ask('GET /cache/j'), 404, 'CACHE_EXPIRED');
}

row('62', async () => {
  assert.equal((await post('{"value":1}')).status, 200);
});

row('63', async () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
    await refused('{"value":1}', 415, 'MEDIA_TYPE_UNSUPPORTED', `Content-Type: ${type}`);
  }
});

row('64', async () => {
  const type = 'Content-Type: application/json garbage';
  await refused('{"value":1}', 415, 'MEDIA_TYPE_UNSUPPORTED', type);
});

row('65', async () => {
  const type = 'Content-Type: application/json; charset=latin1';
  await refused('{"value":1}', 415, 'MEDIA_TYPE_UNSUPPORTED', type);
});

row('66', async () => {
  await refused('{"value":1}', 415, 'MEDIA_TYPE_UNSUPPORTED', 'Content-Encoding: gzip');
});

row('67', async () => {
  for (const body of ['{"value":1', '{"value":', '{"value":"', '{']) {
    await refused(body, 422, 'BODY_INVALID');
  }
});

row('68', async () => {
  await refused('', 422, 'BODY_INVALID');
  await server.refuses(request('POST /cache/j'), 422, 'BODY_INVALID');
});

row('69', async () => {
  await refused('\ufeff{"value":1}', 422, 'BODY_INVALID');
});

row('70', async () => {
  await refused(Buffer.from('{"value":"\xff"}', 'latin1'), 422, 'BODY_INVALID');
});

row('71', async () => {
  for (const body of ['[]', '"x"', 'null', '1']) await refused(body, 422, 'BODY_INVALID');
});

row('72', async () => {
  for (const body of ['{}', '{"expire":1}']) await refused(body, 422, 'BODY_INVALID');
});

row('73', async () => {
  for (const name of ['value', '\\u0076alue']) {
    await refused(`{"value":1,"${name}":1}`, 422, 'BODY_INVALID');
  }
});

row('74', async () => {
  for (const nest of [100_000, 400_000]) {
    await refused(`{"value":${'['.repeat(nest)}`, 422, 'BODY_INVALID');
    await refused(`{"value":${'['.repeat(nest)}${']'.repeat(nest)}}`, 422, 'BODY_INVALID');
  }
});

row('75', async () => {
  await isKept('{"__proto__":{"a":1},"constructor":{"prototype":2}}');
});

row('76', async () => {
  await isKept('{"b":9007199254740993,"a":1.0,"2":1e400,"1":[ ]}');
});

row('77', async () => {
  for (const value of ['NaN', 'Infinity', 'undefined']) {
    await refused(`{"value":${value}}`, 422, 'BODY_INVALID');
  }
});

row('78', async () => {
  const hits = async () => jsonOf(await server.ask('GET /stat'))['stats'] as { hit: number };
  const before = await hits();
  for (const value of ['null', '""', '0', 'false']) await isKept(value);
  assert.equal((await hits()).hit - before.hit, 4);
});

row('79', async () => {
  const bodyOf = (length: number) => `{"value":"${'x'.repeat(length - 12)}"}`;
  for (const [length, status] of [
    [800 * KiB, 200],
    [800 * KiB + 1, 413],
  ] as const) {
    assert.equal((await post(bodyOf(length))).status, status);
    const chunk = `${length.toString(16)}\r\n${bodyOf(length)}\r\n0\r\n\r\n`;
    const chunked = request('POST /cache/j', ['Transfer-Encoding: chunked']) + chunk;
    assert.equal((await server.answer(chunked)).status, status, `${length} in a chunk`);
  }
});

row('81', async () => {
  for (const duration of ['28ds', '7dayss', '3600s']) {
    await isTaken(`{"value":1,"duration":"${duration}"}`);
    assert.equal(jsonOf(await server.ask('GET /cache/j'))['duration'], duration);
  }
  for (const duration of ['', '-1s', '1.5h', '1w', 'd']) {
    await refused(`{"value":1,"duration":"${duration}"}`, 422, 'DURATION_INVALID');
  }
});

row('82', async () => {
  await isTaken('{"value":1,"duration":"0s"}');
  await hasExpired();
});

row('83', async () => {
  await refused('{"value":1,"duration":"99999999999999d"}', 422, 'DURATION_INVALID');
});

row('84', async () => {
  for (const expire of ['0', '-1', '1.5', '1700000000']) {
    await isTaken(`{"value":1,"expire":${expire}}`);
    await hasExpired();
  }
});

row('85', async () => {
  for (const expire of ['"abc"', 'true', '1e999', '[]', '""']) {
    await refused(`{"value":1,"expire":${expire}}`, 422, 'EXPIRE_INVALID');
  }
});

row('86', async () => {
  assert.equal((await isTaken('{"value":1,"expire":"1700000000"}'))['expire'], 1_700_000_000);
});

row('87', async () => {
  const { expire } = await isTaken('{"value":1,"expire":5,"duration":"1h"}');
  const inSeconds = Number(expire) - Date.now() / 1000;
  assert.ok(inSeconds > 3500 && inSeconds <= 3600, `${inSeconds} s`);
});
