import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listening, request } from './app-fixture.ts';

const statusOf = (answer: string): number => Number(answer.slice(9, 12));
const codeOf = (answer: string): unknown => {
  const body = answer.slice(answer.lastIndexOf('\r\n\r\n') + 4);
  return body === '' ? undefined : (JSON.parse(body) as { code?: unknown }).code;
};

test('paths that are no route are not found, however they are written', async (t) => {
  const server = await listening(t);
  for (const line of ['GET /nowhere', 'POST /nowhere', 'GET /c%61che/a', 'GET /v1']) {
    const answer = await server.exchange(request(line));
    assert.equal(statusOf(answer), 404, `${line}: ${answer}`);
    assert.equal(codeOf(answer), 'NOT_FOUND', line);
  }
});

test('the first question mark parts a key from its query, written as a triplet too', async (t) => {
  const server = await listening(t);
  for (const [target, key] of [
    ['a?x=1', 'a?x=1'],
    ['a%3Fx=1', 'a?x=1'],
    ['?page=2', '?page=2'],
  ]) {
    const answer = await server.exchange(
      request(`POST /cache/${target}`, ['Content-Length: 11'], '{"value":1}'),
    );
    const body = answer.slice(answer.indexOf('\r\n\r\n') + 4);
    assert.equal((JSON.parse(body) as { key: unknown }).key, key, target);
  }
  assert.equal(await server.store.count(), 2);
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
