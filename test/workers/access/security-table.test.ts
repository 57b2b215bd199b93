/** The table of docs/security.md, asked of the server: every route with every kind of token. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { RouteOptions } from 'fastify';
import { Tokens } from '../../../src/workers/access/tokens.ts';
import { type Fixture, fixture } from '../app-fixture.ts';
import { bearer, TOKENS } from './table-tokens.ts';

const PAGE = new URL('../../../docs/security.md', import.meta.url);

/** The columns of the table in their order: who asks, of which keys, and the code of each refusal. */
const COLUMNS = [
  { title: 'no token', headers: {}, keys: 'team/', refusals: ['TOKEN_REQUIRED'] },
  { title: 'wrong', headers: bearer('wrong'), keys: 'team/', refusals: ['TOKEN_REFUSED'] },
  { title: 'read', headers: bearer('read-secret'), keys: 'team/', refusals: ['SCOPE_REFUSED'] },
  { title: 'write', headers: bearer('write-secret'), keys: 'team/', refusals: ['SCOPE_REFUSED'] },
  { title: 'admin', headers: bearer('admin-secret'), keys: 'team/', refusals: ['SCOPE_REFUSED'] },
  {
    title: 'keyPrefix, its keys',
    headers: bearer('team-secret'),
    keys: 'team/',
    refusals: ['STORE_WIDE_REFUSED'],
  },
  {
    title: 'keyPrefix, other keys',
    headers: bearer('team-secret'),
    keys: 'other/',
    refusals: ['STORE_WIDE_REFUSED', 'KEY_REFUSED'],
  },
] as const;

interface Row {
  readonly method: string;
  readonly path: string;
  /** The JSON that is sent, with `{key}` and `{prefix}` in it; undefined for none. */
  readonly body: string | undefined;
  readonly cells: readonly string[];
}

/** An item of the answer to a batch. */
interface Told {
  readonly status: number;
  readonly code: string;
}

function rowsOf(page: string): Row[] {
  const rows: Row[] = [];
  for (const line of page.split('\n')) {
    const [, method, path, body, cells] =
      /^\| `(GET|PUT|POST|DELETE) (\/\S*)`(?: `([^`]+)`)? \| (.+) \|$/.exec(line) ?? [];
    if (method === undefined || path === undefined || cells === undefined) continue;
    rows.push({ method, path, body, cells: cells.split(' | ') });
  }
  return rows;
}

const filled = (text: string, keys: string): string =>
  text.replaceAll('{key}', `${keys}a`).replaceAll('{prefix}', keys).replaceAll('{id}', '1');

/** A route as the table writes it: `GET /cache/{key}`. */
function nameOf({ method, url }: RouteOptions): string {
  const name = url.startsWith('/prefix/')
    ? '{prefix}'
    : url.startsWith('/v1/purges/')
      ? '{id}'
      : '{key}';
  return `${method} ${url.replace('*', name).replace(/:(\w+)/g, '{$1}')}`;
}

async function check(made: Fixture, row: Row, method: string): Promise<void> {
  const isLease = row.path.startsWith('/v1/leases/');
  const isBatch = row.path === '/v1/batch';
  for (const [at, { title, headers, keys, refusals }] of COLUMNS.entries()) {
    const expected = row.cells[at];
    const asked = `${method} ${row.path} by ${title}`;
    const answer = await made.app.inject({
      method: method as 'GET',
      url: filled(row.path, keys),
      headers: {
        ...headers,
        ...(isLease ? { 'cache-lease-token': 'none' } : {}),
        ...(row.body === undefined ? {} : JSON_HEADERS),
      },
      ...(row.body === undefined ? {} : { payload: filled(row.body, keys) }),
    });
    // Of a batch with one item, what that item is answered with.
    const isItem = isBatch && answer.statusCode === 200;
    const told = isItem ? answer.json<{ items: Told[] }>().items[0] : undefined;
    const status = told?.status ?? answer.statusCode;
    if (expected === 'yes') {
      assert.ok(status < 400 || status === 404, `${asked}: ${status} ${answer.body}`);
    } else {
      assert.equal(String(status), expected, `${asked}: ${answer.body}`);
      if (method === 'HEAD') continue;
      const { code } = told ?? answer.json<{ code: string }>();
      assert.ok((refusals as readonly string[]).includes(code), `${asked}: ${code}`);
    }
    assert.equal(answer.headers['www-authenticate'] !== undefined, answer.statusCode === 401);
    await made.store.open();
  }
}

const JSON_HEADERS = { 'content-type': 'application/json' };

describe('the table of docs/security.md', () => {
  const rows = rowsOf(readFileSync(PAGE, 'utf8'));

  it('has a row for each route, and for nothing else', async (t) => {
    const { app } = fixture(t);
    await app.ready();
    const routes = app.declaredRoutes.filter(
      ({ method, url }) => method !== 'HEAD' && !url.startsWith('/docs'),
    );
    const documented = new Set(rows.map(({ method, path }) => `${method} ${path}`));
    documented.delete('GET /docs');
    assert.deepEqual([...documented].sort(), [...new Set(routes.map(nameOf))].sort());
    for (const { cells, path } of rows) assert.equal(cells.length, COLUMNS.length, path);
  });

  it('is what the server does', async (t) => {
    const made = fixture(t, { tokens: new Tokens(TOKENS) });
    await made.app.ready();
    const withHead = new Set(
      made.app.declaredRoutes
        .filter(({ method }) => method === 'HEAD')
        .map((route) => nameOf({ ...route, method: 'GET' })),
    );
    for (const row of rows) {
      await check(made, row, row.method);
      if (withHead.has(`${row.method} ${row.path}`)) await check(made, row, 'HEAD');
    }
  });

  it('says yes of everything where no token is needed', async (t) => {
    const made = fixture(t);
    const allowed = rows.map((row) => ({ ...row, cells: COLUMNS.map(() => 'yes') }));
    for (const row of allowed) await check(made, row, row.method);
  });
});

describe('a route', () => {
  it('declares who may use it, those of the documentation page too', async (t) => {
    const { app } = fixture(t);
    await app.ready();
    assert.ok(app.declaredRoutes.length > 25);
    for (const { method, url, config } of app.declaredRoutes) {
      const allowed = ['read', 'write', 'admin', 'open', 'any'];
      assert.ok(allowed.includes(config?.access ?? ''), `${method} ${url}`);
      const isPublic = /^\/(docs($|\/)|openapi\.json$|healthz$|readyz$)/.test(url);
      assert.equal(config?.access === 'open', isPublic, `${method} ${url}`);
    }
  });

  it('that declares nothing keeps the server from starting', async (t) => {
    const { app } = fixture(t, { tokens: new Tokens(TOKENS) });
    app.get('/forgotten', (_request, reply) => reply.send('secret'));
    await assert.rejects(async () => await app.ready(), /GET \/forgotten says who may use it/);
  });
});
