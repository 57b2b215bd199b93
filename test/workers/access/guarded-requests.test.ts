/** Tokens over HTTP: what is asked in which order, and what answers carry and do not carry. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Tokens } from '../../../src/workers/access/tokens.ts';
import { type Fixture, fixture, listening, request } from '../app-fixture.ts';
import { basic, bearer, TOKENS } from './table-tokens.ts';

type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS';

const withTokens = (t: TestContext): Fixture => fixture(t, { tokens: new Tokens(TOKENS) });

async function codeOf(
  { app }: Fixture,
  method: Method,
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<[number, string | undefined]> {
  const answer = await app.inject({ method, url, headers: { host: 'localhost', ...headers } });
  const body = answer.body === '' ? {} : (answer.json() as { code?: string });
  return [answer.statusCode, body.code];
}

describe('a server with tokens', () => {
  it('asks for one with both challenges, and says that it keeps no answer', async (t) => {
    const { app } = withTokens(t);
    const answer = await app.inject({ url: '/cache/a' });
    assert.equal(answer.statusCode, 401);
    assert.deepEqual(answer.headers['www-authenticate'], [
      'Bearer realm="BigCache"',
      'Basic realm="BigCache", charset="UTF-8"',
    ]);
    assert.equal(answer.headers['cache-control'], 'no-store');
  });

  it('repeats of a token nothing, and logs nothing', async (t) => {
    const made = withTokens(t);
    const { app } = made;
    for (const headers of [bearer('my-secret'), basic('x', 'my-secret'), bearer('read-secret')]) {
      for (const method of ['GET', 'DELETE'] as const) {
        const answer = await app.inject({ method, url: '/cache/a', headers });
        const told = JSON.stringify([answer.headers, answer.body]);
        assert.doesNotMatch(told, /secret|bXktc2VjcmV0|eDpteS/);
      }
    }
    assert.deepEqual(made.logged, []);
  });

  it('tells a token for some keys that a purge took one of them, and not what else it selected', async (t) => {
    const { app } = withTokens(t);
    const all = { host: 'localhost', ...bearer('all-secret') };
    const put = { ...all, 'cache-tag': 'secret-tag' };
    await app.inject({ method: 'PUT', url: '/v1/entries/team/a', headers: put, payload: 'x' });
    const purge = { ...all, 'content-type': 'application/json' };
    const why = async (secret: string): Promise<Record<string, unknown>> => {
      const headers = { host: 'localhost', ...bearer(secret) };
      const answer = await app.inject({ url: '/v1/explain/team/a', headers });
      return answer.json<{ by: Record<string, unknown> }>().by;
    };
    for (const [payload, isSeen] of [
      ['{"tag":"secret-tag"}', false],
      ['{"prefix":"te"}', false],
      ['{"prefix":"team/a"}', true],
    ] as const) {
      await app.inject({ method: 'PUT', url: '/v1/entries/team/a', headers: put, payload: 'x' });
      await app.inject({ method: 'POST', url: '/v1/purge', headers: purge, payload });
      assert.deepEqual((await why('all-secret'))['selector'], JSON.parse(payload), payload);
      const seen = await why('team-secret');
      assert.equal(typeof seen['purge'], 'string');
      assert.equal('selector' in seen, isSeen, payload);
    }
  });

  it('names the scope that is missing', async (t) => {
    const { app } = withTokens(t);
    const headers = bearer('read-secret');
    const answer = await app.inject({ method: 'POST', url: '/clear', headers });
    assert.match(answer.json<{ detail: string }>().detail, /scope "admin"/);
  });

  it('looks at the canonical key, whatever the target looks like', async (t) => {
    const made = withTokens(t);
    const headers = bearer('team-secret');
    for (const url of [
      '/cache/team/a',
      '/cache//team%2Fa/',
      '/cache/%74eam/a',
      '/cache/team/?x=1',
    ]) {
      const expected = url.includes('?') ? [403, 'KEY_REFUSED'] : [404, 'CACHE_MISS'];
      assert.deepEqual(await codeOf(made, 'GET', url, headers), expected, url);
    }
    for (const url of [
      '/cache/other/team/a',
      '/cache/team',
      '/cache/team/',
      '/cache/team2/a',
      '/cache/TEAM/a',
      '/cache/?team/a',
      '/cache/%3Fteam/a',
      '/cache/other?team/',
    ]) {
      assert.deepEqual(await codeOf(made, 'GET', url, headers), [403, 'KEY_REFUSED'], url);
    }
    // Not another name of a route, and so never with the token of another route.
    assert.deepEqual(await codeOf(made, 'GET', '/c%61che/team/a', headers), [404, 'NOT_FOUND']);
    assert.equal((await codeOf(made, 'GET', '//cache/other/a', headers))[0], 404);
  });

  it('does not purge by a prefix that is shorter than its own', async (t) => {
    const made = withTokens(t);
    const headers = bearer('team-secret');
    for (const url of ['/prefix/t', '/prefix/team', '/prefix/%74eam', '/prefix/other/']) {
      assert.deepEqual(await codeOf(made, 'DELETE', url, headers), [403, 'KEY_REFUSED'], url);
    }
    assert.equal((await codeOf(made, 'DELETE', '/prefix/team/', headers))[0], 200);
  });

  it('refuses pages of other sites and browsers whatever token they have', async (t) => {
    const made = withTokens(t);
    const foreign = { ...basic('x', 'all-secret'), 'sec-fetch-site': 'cross-site' };
    assert.deepEqual(await codeOf(made, 'POST', '/clear', foreign), [403, 'ORIGIN_REFUSED']);
    assert.deepEqual(await codeOf(made, 'GET', '/clear', foreign), [403, 'ADMIN_GET_REFUSED']);
    assert.equal((await codeOf(made, 'GET', '/clear', bearer('admin-secret')))[0], 200);
  });

  it('says of a path without a route that there is none', async (t) => {
    const made = withTokens(t);
    assert.deepEqual(await codeOf(made, 'GET', '/nowhere'), [404, 'NOT_FOUND']);
    assert.deepEqual(await codeOf(made, 'PUT', '/cache/a'), [405, 'METHOD_NOT_ALLOWED']);
  });

  it('takes no byte of a body that it refuses', async (t) => {
    const server = await listening(t, { tokens: new Tokens(TOKENS) });
    const asked = request('PUT /v1/entries/team/a', ['Content-Length: 9', 'Expect: 100-continue']);
    const answer = await server.exchange(asked);
    assert.match(answer, /^HTTP\/1\.1 401 /);
    assert.doesNotMatch(answer, /100 Continue/);
    const all = `Authorization: ${bearer('all-secret').authorization}`;
    const allowed = await server.exchange(
      request('PUT /v1/entries/team/a', [all, 'Content-Length: 1'], 'x'),
    );
    assert.match(allowed, /^HTTP\/1\.1 201 /);
  });
});

describe('a server without tokens', () => {
  it('does not look at what clients send as one', async (t) => {
    const made = fixture(t);
    for (const authorization of ['Bearer x', 'nonsense', 'Basic ====']) {
      assert.deepEqual(await codeOf(made, 'GET', '/cache/a', { authorization }), [
        404,
        'CACHE_MISS',
      ]);
    }
  });
});

describe('answers', () => {
  it('allow no page of another origin to read them', async (t) => {
    const { app } = fixture(t, { config: { allowedOrigins: ['https://app.example'] } });
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'PUT' };
    await app.inject({ method: 'PUT', url: '/v1/entries/a', headers, payload: 'x' });
    for (const method of ['GET', 'OPTIONS'] as const) {
      const answer = await app.inject({ method, url: '/v1/entries/a', headers });
      const names = Object.keys(answer.headers).filter((name) => name.startsWith('access-control'));
      assert.deepEqual(names, []);
    }
  });

  it('with a raw body are sandboxed, whole and in part, unless the policy is none', async (t) => {
    for (const bodyCsp of ["sandbox; default-src 'none'", 'none']) {
      const { app } = fixture(t, { config: { bodyCsp } });
      await app.inject({ method: 'PUT', url: '/v1/entries/a', payload: '<script>' });
      const policy = bodyCsp === 'none' ? undefined : bodyCsp;
      for (const [method, url, headers] of [
        ['GET', '/v1/entries/a', {}],
        ['HEAD', '/v1/entries/a', {}],
        ['GET', '/v1/entries/a', { range: 'bytes=0-1' }],
        ['GET', '/pickle/a', {}],
      ] as const) {
        const answer = await app.inject({ method, url, headers });
        assert.ok([200, 206].includes(answer.statusCode), url);
        assert.equal(answer.headers['x-content-type-options'], 'nosniff', url);
        assert.equal(answer.headers['content-security-policy'], policy, url);
      }
    }
  });
});
