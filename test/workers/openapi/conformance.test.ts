/** The document that the server serves, and that answers which are not as it says are found out. */
import assert from 'node:assert/strict';
import { type AddressInfo, connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import Fastify, { type FastifyInstance } from 'fastify';
import { pack } from 'msgpackr';
import { fixture, received, request } from '../app-fixture.ts';
import { Conformance, type SeenAnswer } from './conformance.ts';
import { type ApiDocument, type Content, unmatchedOf } from './document.ts';
import { heldToDocument } from './served.ts';
import { answerOf } from './watching.ts';

async function conformanceOf(t: TestContext): Promise<Conformance> {
  const { app } = fixture(t);
  return new Conformance((await app.inject({ url: '/openapi.json' })).json<ApiDocument>());
}

function exchange(t: TestContext, app: FastifyInstance, bytes: string): Promise<string> {
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => socket.destroy());
  return received(socket, bytes);
}

const JSON_HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
};

const asked = (method: string, target: string) => ({ method, target });
const told = (value: unknown) => ({ headers: JSON_HEADERS, body: Buffer.from(json(value)) });
const json = (value: unknown): string => JSON.stringify(value);
const NONE = { headers: { 'cache-control': 'no-store' }, body: Buffer.alloc(0) };

const COUNT = { ...asked('GET', '/stat/count'), status: 200, ...told({ count: 3 }) };
const MISS = {
  ...asked('GET', '/cache/a'),
  status: 404,
  ...told({ detail: 'cache miss', code: 'CACHE_MISS' }),
};
const STORED = {
  ...asked('PUT', '/v1/entries/a'),
  status: 201,
  ...NONE,
  headers: { ...NONE.headers, etag: '"GiLBQ5tQ3Rk4Uuvnzw0RRw"' },
};
const BATCH = {
  ...asked('POST', '/v1/batch'),
  status: 200,
  headers: { ...JSON_HEADERS, 'content-type': 'application/msgpack' },
  body: pack({ items: [{ status: 200, body: Buffer.from([255]), value: 2n ** 62n }] }),
};
const NOWHERE = {
  ...asked('GET', '/nowhere'),
  status: 404,
  ...told({ detail: 'There is no such route.', code: 'NOT_FOUND' }),
};

const GOOD: readonly SeenAnswer[] = [
  COUNT,
  MISS,
  STORED,
  BATCH,
  NOWHERE,
  { ...COUNT, method: 'HEAD', body: Buffer.alloc(0) },
  { ...COUNT, target: '/st%61t/count?x' },
  { ...COUNT, headers: { ...COUNT.headers, date: 'today', 'x-request-id': 'one' } },
  { ...NOWHERE, target: '/c%61che/a' },
];

const WRONG: readonly (readonly [fault: RegExp, answer: SeenAnswer])[] = [
  [/no status 418/, { ...COUNT, status: 418 }],
  [/no status 404/, { ...NOWHERE, method: 'GET', target: '/stat' }],
  [/no route has no status 200/, { ...COUNT, target: '/nowhere' }],
  [/no route has no status 200/, { ...COUNT, method: 'DELETE' }],
  [/no route has no status 200/, { ...COUNT, target: '/stat/count/' }],
  [/x-powered-by, which is not/, { ...COUNT, headers: { ...COUNT.headers, 'x-powered-by': 'a' } }],
  [/without cache-control/, { ...COUNT, headers: { 'content-type': 'application/json' } }],
  [
    /cache-control is "public"/,
    { ...COUNT, headers: { ...JSON_HEADERS, 'cache-control': 'public' } },
  ],
  [/without etag/, { ...STORED, headers: NONE.headers }],
  [/etag is "W/, { ...STORED, headers: { ...NONE.headers, etag: 'W/"a"' } }],
  [/with a body, which/, { ...STORED, body: Buffer.from('x') }],
  [/with a body, which/, { ...STORED, headers: { ...STORED.headers, 'content-type': 'text/a' } }],
  [/with a body, to HEAD/, { ...COUNT, method: 'HEAD' }],
  [
    /the body is "text\/html"/,
    { ...COUNT, headers: { ...JSON_HEADERS, 'content-type': 'text/html' } },
  ],
  [/the body is no application\/json/, { ...COUNT, body: Buffer.from('{"count":3') }],
  [/must have required property 'count'/, { ...COUNT, body: Buffer.from('{}') }],
  [/count must be integer/, { ...COUNT, body: Buffer.from('{"count":"3"}') }],
  [/count must be >= 0/, { ...COUNT, body: Buffer.from('{"count":-3}') }],
  [/must NOT have additional/, { ...COUNT, body: Buffer.from('{"count":3,"more":1}') }],
  [/code must be equal to one/, { ...MISS, ...told({ detail: 'no', code: 'PURGE_UNKNOWN' }) }],
  [/must have required property 'detail'/, { ...MISS, ...told({ code: 'CACHE_MISS' }) }],
  [/status must be integer/, { ...BATCH, body: pack({ items: [{ status: '200' }] }) }],
];

describe('an answer', () => {
  it('that is as the document says has no fault', async (t) => {
    const conformance = await conformanceOf(t);
    for (const answer of GOOD) assert.deepEqual(conformance.faultsOf(answer), []);
  });

  it('that is not has the fault named', async (t) => {
    const conformance = await conformanceOf(t);
    for (const [fault, answer] of WRONG) {
      assert.match(conformance.faultsOf(answer).join('\n'), fault);
    }
  });

  it('is read from the text that was written to a socket', () => {
    assert.deepEqual(answerOf('HTTP/1.1 400 Bad\r\nA: b:c\r\nB: d\r\n\r\nx\r\n\r\ny', 'GET', '/'), {
      method: 'GET',
      target: '/',
      status: 400,
      headers: { a: 'b:c', b: 'd' },
      body: Buffer.from('x\r\n\r\ny'),
    });
  });
});

describe('an application under test', () => {
  /** Answers that no document has, to what is asked and to what is no request. */
  async function otherApp(t: TestContext): Promise<FastifyInstance> {
    const app = Fastify({
      clientErrorHandler: (_error, socket) => socket.end('HTTP/1.1 499 No\r\n\r\n'),
    });
    app.post('/stat', async () => 'well');
    t.after(() => app.close());
    await app.listen({ port: 0, host: '127.0.0.1' });
    return app;
  }

  it('is found out when an injected request is answered otherwise', async (t) => {
    const app = await otherApp(t);
    const check = heldToDocument(app, () => conformanceOf(t));
    await check();
    await app.inject({ method: 'POST', url: '/stat' });
    await assert.rejects(check(), /POST \/stat: no route has no status 200: well/);
  });

  it('is found out when a request on a socket is', async (t) => {
    const app = await otherApp(t);
    const check = heldToDocument(app, () => conformanceOf(t));
    await exchange(t, app, request('POST /stat'));
    await assert.rejects(check(), /POST \/stat: no route has no status 200: well/);
  });

  it('is found out when bytes that are no request are', async (t) => {
    const app = await otherApp(t);
    const check = heldToDocument(app, () => conformanceOf(t));
    await exchange(t, app, 'BREW / HTTP/1.1\r\n\r\n');
    await assert.rejects(check(), /no route has no status 499/);
  });
});

describe('the document', () => {
  it('has examples that are as its schemas say', async (t) => {
    const conformance = await conformanceOf(t);
    let examples = 0;
    const check = (title: string, content: Content = {}): void => {
      for (const [type, { schema, example, examples: more = {} }] of Object.entries(content)) {
        const values = Object.values(more).map(({ value }) => value);
        for (const value of [...values, ...(schema.examples ?? []), ...[example ?? []].flat()]) {
          examples += 1;
          assert.equal(conformance.faultOf(schema, value), undefined, `${title}, ${type}`);
        }
      }
    };
    for (const [path, operations] of Object.entries(conformance.document.paths)) {
      for (const [method, { requestBody, responses }] of Object.entries(operations)) {
        check(`${method} ${path}`, requestBody?.content);
        for (const [status, { content }] of Object.entries(responses)) {
          check(`${method} ${path}, ${status}`, content);
        }
      }
    }
    for (const { content } of Object.values(unmatchedOf(conformance.document).responses)) {
      check('no route', content);
    }
    assert.ok(examples > 500, `${examples} examples`);
  });

  it('says what is answered where no route is', async (t) => {
    const { responses } = unmatchedOf((await conformanceOf(t)).document);
    const statuses = [204, 400, 404, 405, 408, 413, 417, 421, 431, 500, 501, 503];
    assert.deepEqual(Object.keys(responses).map(Number), statuses);
  });

  it('says which body may be left out', async (t) => {
    const { paths } = (await conformanceOf(t)).document;
    assert.equal(paths['/v1/incr/{key}']?.['post']?.requestBody?.required, false);
    assert.equal(paths['/v1/touch/{key}']?.['post']?.requestBody?.required, true);
  });
});
