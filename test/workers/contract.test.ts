import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture, listening } from './app-fixture.ts';
import { replayOriginal, sendTo } from './original-exchanges.ts';

test('the exchanges recorded from the original are answered as it answered, or better', async (t) => {
  const { app } = fixture(t);
  await replayOriginal(async ({ method, path, headers, body }) => {
    const answer = await app.inject({
      method: method as 'GET',
      url: path,
      headers: { host: 'localhost', ...headers },
      ...(body === undefined ? {} : { payload: body }),
    });
    return { status: answer.statusCode, body: answer.body };
  });
});

test('over a socket the recorded exchanges are answered in the same way', async (t) => {
  const { port } = await listening(t);
  await replayOriginal(sendTo(`http://127.0.0.1:${port}`));
});

test('every answer of the original face says that it must not be stored', async (t) => {
  const { app } = fixture(t);
  const post = { url: '/cache/a', payload: '{"value":1}' };
  await app.inject({ method: 'POST', ...post });
  for (const url of ['/cache/a', '/cache/b', '/pickle/a', '/stat', '/stat/count', '/cache/']) {
    const answer = await app.inject({ url });
    assert.equal(answer.headers['cache-control'], 'no-store', url);
  }
});
