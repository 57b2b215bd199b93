import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRORS } from '../../src/protocol/errors.ts';
import { Tokens } from '../../src/workers/access/tokens.ts';
import { fixture } from './app-fixture.ts';

interface Answer {
  readonly description: string;
  readonly content?: object;
}

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<Record<string, Answer>>;
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface SecuredOperation extends Operation {
  readonly description?: string;
  readonly security?: readonly object[];
}

interface SecuredDocument {
  readonly components: {
    readonly securitySchemes: Readonly<Record<string, { type: string; scheme: string }>>;
  };
  readonly paths: Readonly<Record<string, Readonly<Record<string, SecuredOperation>>>>;
}

const ROUTES: Readonly<Record<string, readonly string[]>> = {
  '/cache/{key}': ['delete', 'get', 'post'],
  '/pickle/{key}': ['delete', 'get', 'post'],
  '/prefix/{prefix}': ['delete'],
  '/clear': ['get', 'post'],
  '/close': ['get', 'post'],
  '/open': ['post'],
  '/stat': ['get'],
  '/stat/count': ['get'],
  '/v1/entries/{key}': ['delete', 'get', 'put'],
  '/v1/leases/{key}': ['delete'],
  '/v1/stats': ['get'],
  '/metrics': ['get'],
  '/v1/explain/{key}': ['get'],
  '/v1/purge': ['post'],
  '/v1/purges/{id}': ['get'],
  '/v1/touch/{key}': ['post'],
  '/v1/incr/{key}': ['post'],
  '/v1/keys': ['get'],
  '/v1/batch': ['post'],
  '/healthz': ['get'],
  '/readyz': ['get'],
  '/openapi.json': ['get'],
  '/docs': ['get'],
  '/docs/{file}': ['get'],
};

test('every route is described, in OpenAPI 3.1, and nothing else is', async (t) => {
  const { app } = fixture(t);
  const document = (await app.inject({ url: '/openapi.json' })).json<Document>();
  assert.equal(document.openapi, '3.1.0');
  assert.equal(document.info.version, '1.2.3');
  const described = Object.entries(document.paths).map(([path, operations]) => [
    path,
    Object.keys(operations).sort(),
  ]);
  assert.deepEqual(Object.fromEntries(described), ROUTES);
});

test('every operation says what it does, takes and answers', async (t) => {
  const { app } = fixture(t);
  const { paths } = (await app.inject({ url: '/openapi.json' })).json<Document>();
  for (const [path, operations] of Object.entries(paths)) {
    const name = /\{(\w+)\}/.exec(path)?.[1];
    for (const [method, operation] of Object.entries(operations)) {
      const title = `${method} ${path}`;
      assert.ok(operation.summary, title);
      const good = ['200', '201', '202', '204'].map(
        (status) => operation.responses[status]?.description,
      );
      assert.ok(good.some(Boolean), title);
      const isParameter = operation.parameters?.some(
        (one) => one.name === name && one.in === 'path',
      );
      if (name !== undefined) assert.ok(isParameter, title);
      const takesBody =
        (method === 'post' || method === 'put') &&
        (name !== undefined || ['/v1/purge', '/v1/batch'].includes(path));
      assert.equal(operation.requestBody !== undefined, takesBody, title);
    }
  }
});

test('errors are described by status with every code, and examples that the table confirms', async (t) => {
  const { app } = fixture(t);
  const { paths } = (await app.inject({ url: '/openapi.json' })).json<Document>();
  const post = paths['/cache/{key}']?.['post'];
  assert.ok(post !== undefined);
  for (const status of [
    '400',
    '403',
    '408',
    '413',
    '414',
    '415',
    '417',
    '421',
    '422',
    '431',
    '500',
  ]) {
    const response: Answer | undefined = post.responses[status];
    assert.ok(response !== undefined, status);
    const described: string = JSON.stringify(response);
    const codes = Object.entries(ERRORS).filter(([code]) => described.includes(`\`${code}\``));
    assert.ok(codes.length > 0, status);
    for (const [, spec] of codes) assert.equal(spec.status, Number(status));
    assert.match(described, /"detail"/);
  }
});

test('the documentation page is complete without any other server', async (t) => {
  const { app } = fixture(t);
  const page = await app.inject({ url: '/docs' });
  assert.equal(page.statusCode, 200);
  const linked = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
  assert.ok(linked.length >= 4);
  for (const url of [...linked, '/docs/json']) {
    assert.match(url, /^\/docs\//);
    const answer = await app.inject({ url });
    assert.equal(answer.statusCode, 200, url);
    assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/);
  }
  const policy = String(page.headers['content-security-policy']);
  assert.doesNotMatch(policy, /https?:|upgrade-insecure-requests/);
  assert.doesNotMatch(page.body, /<script>(?!<)/);
});

test('the file of the page leads to the page, and only its files may be kept', async (t) => {
  const { app } = fixture(t);
  const moved = await app.inject({ url: '/docs/static/index.html' });
  assert.deepEqual([moved.statusCode, moved.headers['location']], [302, '/docs/']);
  assert.equal(moved.headers['cache-control'], 'no-store');
  const file = await app.inject({ url: '/docs/static/index.css', headers: { range: 'bytes=0-3' } });
  assert.deepEqual([file.statusCode, file.body], [206, 'html']);
});

test('a file that the page does not have is not found, wherever its name leads', async (t) => {
  const { app } = fixture(t);
  const up = '..%2f..%2f..%2f';
  for (const name of ['none.js', `${up}package.json`, `${up}${up}etc/passwd`]) {
    const answer = await app.inject({ url: `/docs/static/${name}` });
    assert.deepEqual([answer.statusCode, answer.json<{ code: string }>().code], [404, 'NOT_FOUND']);
    assert.equal(answer.headers['allow'], undefined);
  }
  const post = await app.inject({ method: 'POST', url: '/docs/static/index.css' });
  assert.equal(post.statusCode, 405);
});

test('a key with slashes and a query works as the page sends it', async (t) => {
  const { app } = fixture(t);
  const url = `/cache/${encodeURIComponent('catalogue/dataset/42?page=2')}`;
  const headers = {
    host: 'localhost:36379',
    origin: 'http://localhost:36379',
    'sec-fetch-site': 'same-origin',
  };
  const stored = await app.inject({ method: 'POST', url, headers, payload: '{"value":1}' });
  assert.equal(stored.json<{ key: string }>().key, 'catalogue/dataset/42?page=2');
  assert.equal((await app.inject({ url: '/cache/catalogue/dataset/42?page=2' })).statusCode, 200);
});

test('the document says which token a route needs, and the page can be given one', async (t) => {
  for (const tokens of [null, []]) {
    const { app } = fixture(t, { tokens: new Tokens(tokens) });
    const document = (await app.inject({ url: '/openapi.json' })).json<SecuredDocument>();
    const { bearer, basic } = document.components.securitySchemes;
    assert.deepEqual([bearer?.type, bearer?.scheme], ['http', 'bearer']);
    assert.deepEqual([basic?.type, basic?.scheme], ['http', 'basic']);
    const needed = [{ bearer: [] }, { basic: [] }];
    const clear = document.paths['/clear']?.['post'];
    assert.deepEqual(clear?.security, tokens === null ? [{}, ...needed] : needed);
    assert.match(clear?.description ?? '', /scope `admin` and without a keyPrefix/);
    assert.ok(clear?.responses['401'] !== undefined);
    const healthz = document.paths['/healthz']?.['get'];
    assert.deepEqual(healthz?.security, []);
    assert.equal(healthz?.responses['401'], undefined);
    for (const url of ['/docs', '/docs/json', '/docs/static/swagger-ui-bundle.js']) {
      assert.equal((await app.inject({ url })).statusCode, 200, url);
    }
  }
});
