import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listening, request } from './app-fixture.ts';

const statusOf = (answer: string): number => Number(answer.slice(9, 12));
const codeOf = (answer: string): unknown => {
  const body = answer.slice(answer.lastIndexOf('\r\n\r\n') + 4);
  return body === '' ? undefined : (JSON.parse(body) as { code?: unknown }).code;
};

test('targets that name no key are refused with a code, and never reach another route', async (t) => {
  const server = await listening(t);
  const cases: readonly (readonly [line: string, status: number, code: string])[] = [
    ['GET /cache/%zz', 400, 'TARGET_INVALID'],
    ['GET /cache/%ff%fe', 400, 'TARGET_INVALID'],
    ['GET /cache/\u00ea\u00b0\u0080', 400, 'TARGET_INVALID'],
    ['GET /cache/a?q=\u00ea\u00b0\u0080', 400, 'TARGET_INVALID'],
    ['GET /cache/a b', 400, 'REQUEST_INVALID'],
    ['GET /cache/a%00b', 400, 'KEY_INVALID'],
    ['GET /cache/a%0d%0aX:1', 400, 'KEY_INVALID'],
    ['GET /cache/%7f', 400, 'KEY_INVALID'],
    ['GET /cache/%1b[31m', 400, 'KEY_INVALID'],
    ['GET /cache/', 400, 'KEY_EMPTY'],
    ['GET /cache///', 400, 'KEY_EMPTY'],
    ['GET /pickle/', 400, 'KEY_EMPTY'],
    ['GET /cache', 404, 'NOT_FOUND'],
    ['GET /cache?x=1', 404, 'NOT_FOUND'],
    ['GET /c%61che/a', 404, 'NOT_FOUND'],
    ['GET /nowhere', 404, 'NOT_FOUND'],
    ['POST /nowhere', 404, 'NOT_FOUND'],
    [`GET /cache/${'k'.repeat(8193)}`, 414, 'KEY_TOO_LONG'],
    [`GET /cache/${'k'.repeat(20_000)}`, 431, 'HEADERS_TOO_LARGE'],
    ['GET /cache/a#b', 400, 'TARGET_INVALID'],
    ['POST /cache/../stat', 400, 'KEY_INVALID'],
    ['POST /cache/%2e%2e/stat', 400, 'KEY_INVALID'],
    ['GET /cache/../stat', 404, 'CACHE_MISS'],
    ['GET /cache/%2e%2e/stat', 404, 'CACHE_MISS'],
    ['GET /cache/stat/count', 404, 'CACHE_MISS'],
    ['GET http://evil/cache/a', 400, 'TARGET_INVALID'],
    ['POST http://evil/clear', 400, 'TARGET_INVALID'],
    ['DELETE /prefix/', 400, 'PREFIX_EMPTY'],
    [`DELETE /prefix/${'k'.repeat(8193)}`, 414, 'KEY_TOO_LONG'],
    ['DELETE /prefix/%ff', 400, 'TARGET_INVALID'],
  ];
  for (const [line, status, code] of cases) {
    const answer = await server.exchange(Buffer.from(request(line), 'latin1'));
    assert.equal(statusOf(answer), status, `${line.slice(0, 60)}: ${answer}`);
    assert.equal(codeOf(answer), code, line.slice(0, 60));
  }
  assert.equal(await server.store.count(), 0);
});

test('aliases name one entry, and queries tell entries apart', async (t) => {
  const server = await listening(t);
  const keyOf = async (target: string): Promise<unknown> => {
    const answer = await server.exchange(
      request(`POST /cache/${target}`, ['Content-Length: 11'], '{"value":1}'),
    );
    return (JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as { key: unknown }).key;
  };
  const keys = {
    '//a//b/': 'a//b',
    'a%2Fb': 'a/b',
    'a%252Fb': 'a%2Fb',
    'a?x=1': 'a?x=1',
    'a?x=2': 'a?x=2',
    'a%3Fx=1': 'a?x=1',
    '?page=2': '?page=2',
    'a;b=1': 'a;b=1',
    'a+b': 'a+b',
    __proto__: '__proto__',
    constructor: 'constructor',
    'q?q=c%2b%2b': 'q?q=c%2B%2B',
    'q?q=c++': 'q?q=c++',
    'q?q=%C7%D1': 'q?q=%C7%D1',
    '%F0%9F%90%98': '🐘',
    docs: 'docs',
  };
  for (const [target, key] of Object.entries(keys)) {
    assert.equal(Buffer.from(String(await keyOf(target)), 'latin1').toString(), key, target);
  }
  assert.equal(await server.store.count(), Object.keys(keys).length - 1);
});

test('a known path answers 405 with Allow to methods that it does not have', async (t) => {
  const server = await listening(t);
  const cases: readonly (readonly [line: string, allow: string])[] = [
    ['PATCH /cache/a', 'DELETE, GET, HEAD, POST'],
    ['PUT /pickle/a', 'DELETE, GET, HEAD, POST'],
    ['OPTIONS /cache/a', 'DELETE, GET, HEAD, POST'],
    ['QUERY /cache/a', 'DELETE, GET, HEAD, POST'],
    ['PROPFIND /cache/a', 'DELETE, GET, HEAD, POST'],
    ['TRACE /cache/a', 'DELETE, GET, HEAD, POST'],
    ['GET /prefix/a', 'DELETE'],
    ['HEAD /clear', 'GET, POST'],
    ['HEAD /close', 'GET, POST'],
    ['GET /open', 'POST'],
    ['POST /stat', 'GET, HEAD'],
  ];
  for (const [line, allow] of cases) {
    const headers = ['Content-Type: application/json', 'Content-Length: 2'];
    const answer = await server.exchange(request(line, headers, '{}'));
    assert.equal(statusOf(answer), 405, `${line}: ${answer}`);
    assert.match(answer, new RegExp(`\r\nallow: ${allow}\r\n`), line);
    if (!line.startsWith('HEAD')) assert.equal(codeOf(answer), 'METHOD_NOT_ALLOWED');
  }
  assert.equal(statusOf(await server.exchange(request('OPTIONS *'))), 204);
});

test('HEAD answers as GET does, without the body', async (t) => {
  const server = await listening(t);
  await server.exchange(request('POST /cache/a', ['Content-Length: 11'], '{"value":1}'));
  const targets = [
    '/cache/a',
    '/cache/none',
    '/pickle/a',
    '/stat/count',
    '/healthz',
    '/openapi.json',
  ];
  for (const target of targets) {
    const get = await server.exchange(request(`GET ${target}`));
    const head = await server.exchange(request(`HEAD ${target}`));
    const [headOfGet, body] = get.split('\r\n\r\n');
    assert.equal(
      head.replace(/Date: .*\r\n/, ''),
      `${headOfGet}\r\n\r\n`.replace(/Date: .*\r\n/, ''),
    );
    assert.ok(body !== undefined && body !== '', target);
  }
  assert.equal(server.store.unreleased, 0);
});
