/**
 * examples/nginx.conf in a real nginx, before a built server: hits come from the cache, everything else
 * from the application, and of a visitor's headers the cache is told nothing that could do harm.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { bearer, tokenFor } from '../../workers/access/table-tokens.ts';
import { ServerProcess } from '../server-process.ts';
import { NginxProcess } from './nginx-process.ts';
import { RecordingServer } from './recording-server.ts';

const READER = 'bct_the-token-of-nginx';
const WRITER = 'bct_the-token-of-the-application';
const PAGE = '<p>from the cache</p>';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Headers = Record<string, string>;

/** A visitor: one request on a connection of its own. */
function visit(
  port: number,
  path: string,
  headers: Headers = {},
  method = 'GET',
  sent = '',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const told = {
      host: 'example.com',
      ...(sent === '' ? {} : { 'content-length': String(sent.length) }),
      ...headers,
    };
    const options = { host: '127.0.0.1', port, path, method, headers: told, agent: false };
    const asked = request(options, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body });
      });
    });
    asked.on('error', reject).end(sent);
  });
}

class CleanUps {
  readonly #all: (() => Promise<void>)[] = [];

  after(cleanUp: () => Promise<void>): void {
    this.#all.unshift(cleanUp);
  }

  async run(): Promise<void> {
    for (const cleanUp of this.#all) await cleanUp();
  }
}

async function startServer(test: CleanUps): Promise<ServerProcess> {
  const directory = await temporaryDirectory(test);
  const tokens = join(directory, 'tokens.json');
  const list = [
    tokenFor('nginx', READER, ['read'], 'pages/'),
    tokenFor('application', WRITER, ['read', 'write']),
  ];
  await writeFile(tokens, JSON.stringify(list), { mode: 0o600 });
  const args = ['--workers', '2', '--token-file', tokens];
  return ServerProcess.start(test, join(directory, 'store'), ...args);
}

describe('nginx before the cache and an application', () => {
  const cleanUps = new CleanUps();
  let server: ServerProcess;
  let application: RecordingServer;
  let nginx: NginxProcess;

  before(async () => {
    server = await startServer(cleanUps);
    application = await RecordingServer.start(cleanUps, { status: 203 });
    nginx = await NginxProcess.start(cleanUps, await temporaryDirectory(cleanUps), {
      cachePort: server.port,
      applicationPort: application.port,
      token: READER,
    });
  });

  beforeEach(() => {
    application.requests.length = 0;
  });

  after(() => cleanUps.run());

  async function store(key: string, body = PAGE, headers: Headers = {}): Promise<void> {
    const answer = await fetch(`${server.url}/v1/entries/${key}`, {
      method: 'PUT',
      body,
      headers: {
        ...bearer(WRITER),
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'max-age=3600',
        ...headers,
      },
    });
    assert.ok(answer.ok, `${key} is stored: ${answer.status}`);
  }

  const page = (path: string, body?: string): Promise<void> =>
    store(`pages/example.com${path}`, body);
  const at = (path: string, headers?: Headers, method?: string, sent?: string): Promise<Answer> =>
    visit(nginx.port, path, headers, method, sent);

  async function assertFromCache(path: string, body = PAGE, headers: Headers = {}): Promise<void> {
    const answer = await at(path, headers);
    assert.deepEqual([answer.status, answer.body], [200, body], path);
    assert.deepEqual(application.requests, [], path);
  }

  async function assertFromApplication(path: string, headers: Headers = {}): Promise<void> {
    const before = application.requests.length;
    const answer = await at(path, headers);
    assert.deepEqual([answer.status, answer.body], [203, `GET ${path}`]);
    assert.equal(application.requests.length, before + 1, path);
  }

  it('finds no fault in the configuration', () => {
    nginx.checkConfiguration();
  });

  it('serves a hit without asking the application, to GET and HEAD', async () => {
    await page('/hit');
    const answer = await at('/hit');
    assert.deepEqual([answer.status, answer.body], [200, PAGE]);
    assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.match(String(answer.headers['cache-status']), /^BigCache; hit; ttl=\d+$/);
    const head = await at('/hit', {}, 'HEAD');
    assert.deepEqual([head.status, head.body], [200, '']);
    assert.equal(head.headers['content-length'], String(PAGE.length));
    assert.deepEqual(application.requests, []);
  });

  it('has browsers ask again, and puts pages into no sandbox', async () => {
    await page('/again');
    const { headers } = await at('/again');
    assert.equal(headers['cache-control'], 'no-cache');
    assert.equal(headers['age'], undefined);
    assert.equal(headers['content-security-policy'], undefined);
    const again = await at('/again', { 'if-none-match': String(headers['etag']) });
    assert.deepEqual([again.status, again.headers['cache-control']], [304, 'no-cache']);
    const { 'last-modified': modified } = headers;
    assert.equal((await at('/again', { 'if-modified-since': String(modified) })).status, 304);
    assert.deepEqual(application.requests, []);
  });

  it('serves ranges', async () => {
    await page('/range', '0123456789');
    const part = await at('/range', { range: 'bytes=2-4' });
    assert.deepEqual([part.status, part.body], [206, '234']);
    assert.equal((await at('/range', { range: 'bytes=90-' })).status, 416);
    const other = await at('/range', { range: 'bytes=2-4', 'if-range': '"other"' });
    assert.deepEqual([other.status, other.body], [200, '0123456789']);
    assert.deepEqual(application.requests, []);
  });

  it('leaves a miss to the application, whole', async () => {
    const answer = await at('/miss?a=1', { 'x-visitor': 'yes', 'if-none-match': '"a"' });
    assert.deepEqual([answer.status, answer.body], [203, 'GET /miss?a=1']);
    assert.equal(answer.headers['x-from'], 'recorder');
    const [asked] = application.requests;
    assert.equal(asked?.headers['host'], 'example.com');
    assert.equal(asked?.headers['x-visitor'], 'yes');
    assert.equal(asked?.headers['if-none-match'], '"a"');
    assert.equal(asked?.headers['authorization'], undefined);
    assert.equal((await at('/miss', {}, 'HEAD')).status, 203);
  });

  it('makes path and query the key as they were sent', async () => {
    const texts = [
      '/p',
      '/p?page=1',
      '/p?page=2',
      '/p?q=c%2B%2B',
      '/p?q=c++',
      '/p?b=1&a=2',
      '/p?%20',
    ];
    for (const path of texts) await page(path, path);
    for (const path of texts) await assertFromCache(path, path);
    await assertFromCache('/p?q=c%2b%2b', '/p?q=c%2B%2B');
    await assertFromCache('/p/?page=1', '/p?page=1');
    await assertFromCache('/%70?page=1', '/p?page=1');
    await assertFromCache('/p?', '/p');
    await page('/%EC%95%88%20b', 'decoded once');
    await assertFromCache('/%EC%95%88%20b', 'decoded once');
    await assertFromCache('/%ec%95%88%20b/', 'decoded once');
    await assertFromApplication('/%25EC%2595%2588%2520b');
    await assertFromApplication('/p?a=2&b=1');
    await assertFromApplication('/p?page=1&');
    await page('/', 'home');
    await assertFromApplication('/%ff');
    application.requests.length = 0;
    await assertFromCache('/', 'home');
  });

  it('shows visitors nothing but the pages of the host', async () => {
    await store('secret/of/another');
    await store('pages/other.example/a');
    await page('/a');
    for (const path of [
      '/secret/of/another',
      '/x/../../secret/of/another',
      '/..%2f..%2f..%2fsecret/of/another',
      '/%2e%2e/%2e%2e/secret/of/another',
      '/../other.example/a',
    ]) {
      const { status, body } = await at(path);
      assert.ok(status === 203 || status === 400, `${path}: ${status}`);
      assert.notEqual(body, PAGE, path);
    }
    const other = visit(nginx.port, '/a', { host: 'other.example' });
    await assert.rejects(other, { code: 'ECONNRESET' });
    assert.ok(application.requests.every(({ headers }) => headers['host'] === 'example.com'));
  });

  it('lets GET and HEAD alone reach the cache', async () => {
    await page('/kept');
    for (const method of ['PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await at('/kept', {}, method, 'overwritten');
      assert.deepEqual([answer.status, answer.body], [203, `${method} /kept`]);
      assert.equal(application.requests.at(-1)?.body, 'overwritten');
    }
    application.requests.length = 0;
    await assertFromCache('/kept');
  });

  it('leaves those who are logged in to the application', async () => {
    await page('/mine');
    await assertFromCache('/mine', PAGE, { cookie: '_ga=1; theme=dark; nosessionid=1' });
    await assertFromApplication('/mine', { cookie: 'sessionid=abc' });
    await assertFromApplication('/mine', { cookie: '_ga=1; sessionid=abc' });
    await assertFromApplication('/mine', { authorization: 'Basic YTpi' });
    assert.equal(application.requests.at(-1)?.headers['authorization'], 'Basic YTpi');
  });

  it('gives a visitor no lease, and no page that is stale', async () => {
    const stale = { 'cache-control': 'max-age=0, stale-if-error=600' };
    await store('pages/example.com/stale', PAGE, stale);
    const greedy = { 'cache-lease': '300', prefer: 'wait=60', 'cache-control': 'max-stale' };
    await assertFromApplication('/nobody-has-this', greedy);
    await assertFromApplication('/nobody-has-this', greedy);
    await assertFromApplication('/stale', greedy);
    const stats = await fetch(`${server.url}/v1/stats`, { headers: bearer(WRITER) });
    const { leases } = (await stats.json()) as { leases: { given: number } };
    assert.equal(leases.given, 0);
  });

  it('shows a purge to the next visitor', async () => {
    await page('/purged');
    await assertFromCache('/purged');
    const purge = await fetch(`${server.url}/v1/purge`, {
      method: 'POST',
      body: JSON.stringify({ prefix: 'pages/example.com/purged' }),
      headers: { ...bearer(WRITER), 'content-type': 'application/json' },
    });
    assert.equal(purge.status, 202);
    await assertFromApplication('/purged');
  });
});

describe('nginx before a cache that is', () => {
  async function start(cachePort: number, cleanUps: CleanUps): Promise<number> {
    const application = await RecordingServer.start(cleanUps, { status: 203 });
    const directory = await temporaryDirectory(cleanUps);
    const options = { cachePort, applicationPort: application.port, token: READER };
    return (await NginxProcess.start(cleanUps, directory, options)).port;
  }

  async function withCleanUps(run: (cleanUps: CleanUps) => Promise<void>): Promise<void> {
    const cleanUps = new CleanUps();
    try {
      await run(cleanUps);
    } finally {
      await cleanUps.run();
    }
  }

  it('a recorder: tells it a few harmless headers, on connections that are kept', async () => {
    await withCleanUps(async (cleanUps) => {
      const cache = await RecordingServer.start(cleanUps, { status: 200, body: PAGE });
      const port = await start(cache.port, cleanUps);
      const harmless = {
        'accept-encoding': 'br, gzip',
        'if-none-match': '"a"',
        'if-modified-since': 'Thu, 01 Jan 2026 00:00:00 GMT',
        range: 'bytes=0-1',
        'if-range': '"b"',
      };
      const harmful = {
        'cache-lease': '300',
        'cache-lease-token': 'stolen',
        'cache-tag': 'a',
        'cache-control': 'max-stale',
        cookie: '_ga=1',
        'if-match': '"c"',
        origin: 'http://evil.example',
        prefer: 'wait=60',
        'x-forwarded-host': 'evil.example',
        'x-http-method-override': 'DELETE',
      };
      for (let nth = 0; nth < 20; nth++) {
        const path = `/page?nth=${nth}`;
        const answer = await visit(port, path, { ...harmless, ...harmful }, 'GET', 'a body');
        assert.deepEqual([answer.status, answer.body], [200, PAGE]);
        const asked = cache.requests.at(-1);
        assert.deepEqual(asked, {
          method: 'GET',
          target: `/v1/entries/pages/example.com${path}`,
          headers: { host: 'localhost', authorization: `Bearer ${READER}`, ...harmless },
          body: '',
        });
      }
      assert.equal(cache.connections, 1);
    });
  });

  it('in trouble: asks the application', async () => {
    await withCleanUps(async (cleanUps) => {
      const cache = await RecordingServer.start(cleanUps, { status: 404 });
      const port = await start(cache.port, cleanUps);
      for (const status of [400, 401, 403, 404, 414, 421, 429, 431, 500, 503, 504, 507]) {
        cache.told = { status, body: 'a fault' };
        const answer = await visit(port, '/page');
        assert.deepEqual([answer.status, answer.body], [203, 'GET /page'], String(status));
      }
    });
  });

  it('gone: asks the application', async () => {
    await withCleanUps(async (cleanUps) => {
      const gone = new CleanUps();
      const { port: cachePort } = await RecordingServer.start(gone, { status: 200 });
      await gone.run();
      const port = await start(cachePort, cleanUps);
      const answer = await visit(port, '/page');
      assert.deepEqual([answer.status, answer.body], [203, 'GET /page']);
    });
  });
});
