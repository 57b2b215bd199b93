/** `/v1/batch` over HTTP. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Packr, Unpackr } from 'msgpackr';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { Tokens } from '../../../src/workers/access/tokens.ts';
import { AnswerRoom, BatchRoom } from '../../../src/workers/routes/v1/batch-room.ts';
import { bearer, TOKENS } from '../access/table-tokens.ts';
import { type FixtureOptions, fixture } from '../app-fixture.ts';

interface Answered {
  readonly status: number;
  readonly code?: string;
  readonly [member: string]: unknown;
}

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'bigint' });

function over(t: TestContext, options: FixtureOptions = {}) {
  const clock = { nowMs: 1_700_000_000_000 };
  const made = fixture(t, { now: () => clock.nowMs, ...options });
  const send = (payload: string | Buffer, type: string, headers: Record<string, string> = {}) =>
    made.app.inject({
      method: 'POST',
      url: '/v1/batch',
      headers: { host: 'localhost', 'content-type': type, ...headers },
      payload,
    });
  const batch = async (items: readonly unknown[], headers?: Record<string, string>) => {
    const answer = await send(JSON.stringify({ items }), 'application/json', headers);
    assert.equal(answer.statusCode, 200, answer.body);
    assert.equal(answer.headers['cache-control'], 'no-store');
    return answer.json<{ items: Answered[] }>().items;
  };
  const packed = async (items: readonly unknown[]) => {
    const answer = await send(Buffer.from(packr.pack({ items })), 'application/msgpack');
    assert.equal(answer.statusCode, 200, answer.body);
    assert.equal(answer.headers['content-type'], 'application/msgpack');
    return (unpackr.unpack(answer.rawPayload) as { items: Answered[] }).items;
  };
  return { ...made, clock, send, batch, packed };
}

test('items are answered in their order, as their routes would answer', async (t) => {
  const { batch, counters, store, clock } = over(t);
  const put = { op: 'put', key: 'a', body: 'é', contentType: 'text/html', ttl: 60, tags: ['x'] };
  const [stored, again, hit, miss, gone, missed] = await batch([
    put,
    { ...put, body: 'ü' },
    { op: 'get', key: 'a' },
    { op: 'get', key: 'b' },
    { op: 'delete', key: 'a' },
    { op: 'delete', key: 'a' },
  ]);
  assert.deepEqual([stored?.status, again?.status], [201, 204]);
  const etag = again?.['etag'];
  assert.deepEqual(hit, {
    ...{ status: 200, etag, contentType: 'text/html', ttl: 60, tags: ['x'], body: 'ü' },
  });
  assert.deepEqual([miss?.status, miss?.code], [404, 'CACHE_MISS']);
  assert.deepEqual([gone?.status, missed?.status, missed?.code], [204, 404, 'DELETE_MISS']);
  assert.deepEqual([counters.hit, counters.miss, counters.delete], [1, 1, 1]);
  await batch([{ ...put, ttl: 5 }]);
  clock.nowMs += 5000;
  const [expired] = await batch([{ op: 'get', key: 'a' }]);
  assert.deepEqual([expired?.status, expired?.code], [404, 'CACHE_EXPIRED']);
  assert.equal(store.unreleased, 0);
});

test('counters and touches of a batch are those of the routes, exact beyond 2^53', async (t) => {
  const { send } = over(t);
  const items =
    '{"op":"incr","key":"n","initial":9007199254740992,"ttl":60},{"op":"touch","key":"n","ttl":null},' +
    '{"op":"get","key":"n"},{"op":"incr","key":"n","by":9223372036854775807}';
  const answer = await send(`{"items":[${items}]}`, 'application/json');
  assert.match(answer.body, /^\{"items":\[\{"status":200,"value":9007199254740993\},/);
  const [, touched, read, over64] = answer.json<{ items: Answered[] }>().items;
  assert.equal(touched?.status, 204);
  assert.deepEqual([read?.['body'], read?.['ttl']], ['9007199254740993', null]);
  assert.equal(read?.['contentType'], 'application/json; charset=utf-8');
  assert.deepEqual([over64?.status, over64?.code], [409, 'COUNTER_OVERFLOW']);
});

test('bodies that are no text come and go in base64, in msgpack as bytes', async (t) => {
  const { batch, packed } = over(t);
  const bytes = Buffer.from([0, 0xff, 0xfe]);
  const [, hit] = await batch([
    { op: 'put', key: 'raw', bodyBase64: bytes.toString('base64') },
    { op: 'get', key: 'raw' },
  ]);
  assert.deepEqual([hit?.['bodyBase64'], hit?.['body']], [bytes.toString('base64'), undefined]);
  assert.equal(hit?.['contentType'], 'application/octet-stream');
  const [read, put, text, asText, count] = await packed([
    { op: 'get', key: 'raw' },
    { op: 'put', key: 'two', body: bytes, ttl: 5 },
    { op: 'put', key: 'text', body: 'text' },
    { op: 'get', key: 'text' },
    { op: 'incr', key: 'n', by: 2n ** 62n },
  ]);
  assert.ok(bytes.equals(read?.['body'] as Buffer));
  assert.deepEqual([put?.status, text?.status], [201, 201]);
  assert.equal(String(asText?.['body']), 'text');
  assert.equal(count?.['value'], 2n ** 62n);
});

test('text that JSON would mostly escape comes in base64, other text as it is', async (t) => {
  const { batch } = over(t);
  const controls = '\u0001\u0002'.repeat(50);
  const lines = 'a "line"\n'.repeat(50);
  const bodies = [controls, lines, '', '\n', 'é漢😀'];
  await batch(bodies.map((body, nth) => ({ op: 'put', key: `k/${nth}`, body })));
  const answers = await batch(bodies.map((_, nth) => ({ op: 'get', key: `k/${nth}` })));
  const inBase64 = answers[0]?.['bodyBase64'];
  assert.equal(Buffer.from(String(inBase64), 'base64').toString(), controls);
  assert.deepEqual(
    answers.slice(1).map(({ body }) => body),
    bodies.slice(1),
  );
});

test('a batch of more than 16 MiB is refused, however long JSON may be', async (t) => {
  const { send } = over(t);
  const items = [{ op: 'put', key: 'k', body: 'x'.repeat(16 * 1024 * 1024) }];
  const answer = await send(JSON.stringify({ items }), 'application/json');
  assert.equal(answer.statusCode, 413);
});

test('conditions hold for items as they do for requests', async (t) => {
  const { batch } = over(t);
  const [stored, taken, kept, changed, current, other, removed] = await batch([
    { op: 'put', key: 'a', body: '1', ifNoneMatch: '*' },
    { op: 'put', key: 'a', body: '2', ifNoneMatch: '*' },
    { op: 'put', key: 'a', body: '3', ifMatch: '"none"' },
    { op: 'put', key: 'a', body: '4', ifMatch: '*' },
    { op: 'get', key: 'a', ifNoneMatch: '*' },
    { op: 'get', key: 'a', ifMatch: '"none"' },
    { op: 'delete', key: 'a', ifMatch: '"none"' },
  ]);
  assert.deepEqual([stored?.status, changed?.status, current?.status], [201, 204, 304]);
  assert.equal(current?.['body'], undefined);
  for (const refused of [taken, kept, other, removed]) {
    assert.deepEqual([refused?.status, refused?.code], [412, 'PRECONDITION_FAILED']);
  }
});

test('an item that is wrong says what is, and spoils no other', async (t) => {
  const { batch } = over(t);
  const wrong: [unknown, string][] = [
    [null, 'MEMBER_INVALID'],
    [[], 'MEMBER_INVALID'],
    ['get', 'MEMBER_INVALID'],
    [{ key: 'a' }, 'MEMBER_INVALID'],
    [{ op: 'constructor', key: 'a' }, 'MEMBER_INVALID'],
    [{ op: 'get' }, 'MEMBER_INVALID'],
    [{ op: 'get', key: 1 }, 'MEMBER_INVALID'],
    [{ op: 'get', key: '' }, 'KEY_EMPTY'],
    [{ op: 'get', key: '/a' }, 'KEY_INVALID'],
    [{ op: 'get', key: 'a\u0000' }, 'KEY_INVALID'],
    [{ op: 'get', key: '\ud800' }, 'KEY_INVALID'],
    [{ op: 'put', key: 'a/../b', body: '' }, 'KEY_INVALID'],
    [{ op: 'get', key: 'a'.repeat(8193) }, 'KEY_TOO_LONG'],
    [{ op: 'get', key: 'a', ttl: 1 }, 'MEMBER_INVALID'],
    [{ op: 'get', key: 'a', ifMatch: 1 }, 'MEMBER_INVALID'],
    [{ op: 'put', key: 'a' }, 'MEMBER_INVALID'],
    [{ op: 'put', key: 'a', body: 1 }, 'MEMBER_INVALID'],
    [{ op: 'put', key: 'a', body: '\ud800' }, 'MEMBER_INVALID'],
    [{ op: 'put', key: 'a', body: '', bodyBase64: '' }, 'MEMBER_INVALID'],
    [{ op: 'put', key: 'a', bodyBase64: 'a' }, 'MEMBER_INVALID'],
    [{ op: 'put', key: 'a', bodyBase64: 'a b=' }, 'MEMBER_INVALID'],
    [{ op: 'put', key: 'a', bodyBase64: '====' }, 'MEMBER_INVALID'],
    [{ op: 'put', key: 'a', body: '', tags: 'x' }, 'MEMBER_INVALID'],
    [{ op: 'put', key: 'a', body: '', tags: [1] }, 'MEMBER_INVALID'],
    [{ op: 'put', key: 'a', body: '', tags: ['a b'] }, 'MEMBER_INVALID'],
    [{ op: 'put', key: 'a', body: '', contentType: 'a\r\nx: y' }, 'MEMBER_INVALID'],
    [{ op: 'put', key: 'a', body: '', contentType: 'a'.repeat(257) }, 'REQUEST_INVALID'],
    [{ op: 'put', key: 'a', body: '', ifMatch: 'x' }, 'REQUEST_INVALID'],
    [{ op: 'touch', key: 'a' }, 'MEMBER_INVALID'],
    [{ op: 'incr', key: 'a', by: 0.5 }, 'MEMBER_INVALID'],
  ];
  const good = { op: 'incr', key: 'good' };
  const answers = await batch(wrong.flatMap(([item]) => [item, good]));
  wrong.forEach(([item, code], at) => {
    assert.equal(answers[2 * at]?.code, code, JSON.stringify(item));
    assert.equal(answers[2 * at + 1]?.['value'], at + 1);
  });
});

test('a body that is no batch is refused as a whole', async (t) => {
  const { send, batch } = over(t, { config: { jsonBytesMax: 100_000 } });
  const code = async (payload: string | Buffer, type: string) =>
    (await send(payload, type)).json<{ code: string }>().code;
  for (const body of [
    '',
    '[]',
    '{"items":1}',
    '{"items":[],"x":1}',
    '{"items":[{]}',
    '{"items":[',
  ]) {
    assert.equal(await code(body, 'application/json'), 'BODY_INVALID', body);
  }
  const tooMany = JSON.stringify({ items: Array(1001).fill(0) });
  assert.equal(await code(tooMany, 'application/json'), 'BODY_INVALID');
  assert.equal((await batch(Array(1000).fill(0))).length, 1000);
  assert.deepEqual(await batch([]), []);
  assert.equal(await code(Buffer.from([0xc1]), 'application/msgpack'), 'BODY_INVALID');
  assert.equal(await code('{"items":[]}', 'text/plain'), 'MEDIA_TYPE_UNSUPPORTED');
  assert.equal(await code(' '.repeat(100_001), 'application/json'), 'BODY_TOO_LARGE');
  const gzip = await send('{}', 'application/msgpack', { 'content-encoding': 'gzip' });
  assert.equal(gzip.statusCode, 415);
});

test('bodies beyond what one answer takes are refused one by one', async (t) => {
  const { app, batch, store } = over(t);
  const payload = 'x'.repeat(5 * 1024 * 1024);
  for (const key of ['1', '2', '3', '4']) {
    const headers = { host: 'localhost' };
    await app.inject({ method: 'PUT', url: `/v1/entries/${key}`, headers, payload });
  }
  for (let round = 0; round < 5; round++) {
    const gets = ['1', '2', '3', '4', 'none'].map((key) => ({ op: 'get', key }));
    const answers = await batch([...gets, { op: 'incr', key: 'n' }]);
    const full = answers.filter(({ code }) => code === 'BATCH_FULL');
    const read = answers.filter(({ body }) => body === payload);
    assert.deepEqual([full.length, read.length], [1, 3], 'what was held before is given back');
    assert.deepEqual([full[0]?.status, answers[4]?.code], [413, 'CACHE_MISS']);
    assert.equal(answers[5]?.['value'], round + 1);
    assert.equal(store.unreleased, 0);
  }
});

test('all batches of a worker share one room for bodies', () => {
  const shared = new AnswerRoom(10);
  const [one, other] = [new BatchRoom(shared), new BatchRoom(shared)];
  const isOverloaded = (error: unknown): boolean =>
    error instanceof BigCacheError && error.code === 'OVERLOADED';
  one.take(6);
  assert.throws(() => other.take(5), isOverloaded);
  other.take(4);
  other.giveBack(4);
  one.close();
  other.take(10);
  one.close();
  assert.equal(shared.heldBytes, 10, 'what is given back twice counts once');
});

test('each item is authorised on its own', async (t) => {
  const { batch, send } = over(t, { tokens: new Tokens(TOKENS) });
  const items = [
    { op: 'get', key: 'team/a' },
    { op: 'put', key: 'team/a', body: '1' },
    { op: 'incr', key: 'other/a' },
  ];
  const codes = async (secret: string) =>
    (await batch(items, bearer(secret))).map(({ status, code }) => code ?? status);
  assert.deepEqual(await codes('read-secret'), ['CACHE_MISS', 'SCOPE_REFUSED', 'SCOPE_REFUSED']);
  assert.deepEqual(await codes('write-secret'), ['SCOPE_REFUSED', 201, 200]);
  assert.deepEqual(await codes('admin-secret'), Array(3).fill('SCOPE_REFUSED'));
  assert.deepEqual(await codes('team-secret'), [200, 204, 'KEY_REFUSED']);
  for (const headers of [{}, bearer('wrong')]) {
    assert.equal((await send('{"items":[]}', 'application/json', headers)).statusCode, 401);
  }
});

test('an item that fails in the store fails alone', async (t) => {
  const { batch, store, logged } = over(t);
  const get = store.get.bind(store);
  store.get = async (key, reading) => {
    if (key === 'bad') throw new Error('a defect');
    return get(key, reading);
  };
  const [bad, good] = await batch([
    { op: 'get', key: 'bad' },
    { op: 'incr', key: 'n' },
  ]);
  assert.deepEqual([bad?.status, bad?.code, good?.status], [500, 'INTERNAL', 200]);
  assert.equal(logged.length, 1);
});
