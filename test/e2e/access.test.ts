/** Tokens and TLS of a running server: over HTTPS, through SIGHUP, in all workers, and in no log. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { chmod, cp, rename, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { eventually } from '../eventually.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { basic, bearer, tokenFor } from '../workers/access/table-tokens.ts';
import { isAlive, ServerProcess } from './server-process.ts';

const TLS = new URL('../fixtures/tls/', import.meta.url);
const OLD = 'bct_the-old-secret';
const NEW = 'bct_the-new-secret';
const IN_FORCE = 'tokens and certificate are in force in all workers';

interface Protected {
  readonly server: ServerProcess;
  readonly tokens: string;
  readonly cert: string;
  readonly key: string;
}

const listOf = (secret: string): string =>
  JSON.stringify([tokenFor('shop', secret, ['read', 'write'], 'shop/')]);

/** As an operator does it: nobody ever reads half a file. */
async function replaceFile(path: string, text: string | Buffer): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

async function useCertificate(cert: string, key: string, name: string): Promise<void> {
  await cp(new URL(`${name}.crt`, TLS), cert);
  await cp(new URL(`${name}.key`, TLS), key);
  await chmod(key, 0o600);
}

async function start(t: Parameters<typeof temporaryDirectory>[0]): Promise<Protected> {
  const directory = await temporaryDirectory(t);
  const [tokens, cert, key] = ['tokens.json', 'cert.pem', 'key.pem'].map((name) =>
    join(directory, name),
  ) as [string, string, string];
  await replaceFile(tokens, listOf(OLD));
  await useCertificate(cert, key, 'one');
  const server = await ServerProcess.start(
    t,
    join(directory, 'store'),
    ...['--workers', '2', '--log-level', 'trace', '--token-file', tokens, '--host', '0.0.0.0'],
    ...['--tls-cert', cert, '--tls-key', key],
  );
  return { server, tokens, cert, key };
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly certificate: string;
}

/** One request on a connection of its own, so that all workers come to answer. */
function ask(
  { server }: Protected,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
  agent: Agent | false = false,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { port } = server;
    const options = { host: '127.0.0.1', port, path, method, headers, agent };
    const asked = request({ ...options, rejectUnauthorized: false }, (answer) => {
      const socket = answer.socket as ReturnType<typeof connectTls>;
      const certificate = socket.getPeerCertificate().fingerprint256;
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body, certificate }));
    });
    asked.on('error', reject).end(method === 'PUT' ? 'a page' : undefined);
  });
}

/** The statuses of enough requests that each of two workers has most probably answered some. */
async function statuses(made: Protected, secret: string): Promise<Set<number>> {
  const found = new Set<number>();
  for (let nth = 0; nth < 12; nth++) {
    found.add((await ask(made, '/v1/entries/shop/a', bearer(secret))).status);
  }
  return found;
}

async function hangUp({ server }: Protected): Promise<void> {
  const count = (): number => server.log.filter(({ msg }) => msg === IN_FORCE).length;
  const before = count();
  process.kill(server.pid, 'SIGHUP');
  await eventually(() => count() > before, 10_000);
}

function assertNowhere({ server }: Protected, secret: string): void {
  const places = [JSON.stringify(server.log), server.stderr];
  for (const pid of [server.pid, ...server.workerPids]) {
    for (const name of ['cmdline', 'environ', 'comm']) {
      places.push(readFileSync(`/proc/${pid}/${name}`, 'utf8'));
    }
  }
  for (const place of places) assert.ok(!place.includes(secret));
}

/** One server for all of these, in their order: a start takes a while. */
describe('a server with tokens and a certificate', () => {
  let made: Protected;
  const cleanUps: (() => Promise<void>)[] = [];

  before(async () => {
    made = await start({ after: (cleanUp) => cleanUps.unshift(cleanUp) });
  });

  after(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  });

  it('speaks HTTPS, and takes its tokens as Bearer, as Basic and in a URL', async () => {
    assert.match(made.server.url, /^https:\/\/0\.0\.0\.0:/);
    const stored = await ask(made, '/v1/entries/shop/a', bearer(OLD), 'PUT');
    assert.equal(stored.status, 201);
    const read = await ask(made, '/v1/entries/shop/a', basic('anybody', OLD));
    assert.deepEqual([read.status, read.body], [200, 'a page']);
    assert.equal((await ask(made, '/v1/entries/shop/a')).status, 401);
    assert.equal((await ask(made, '/v1/entries/shop/a', bearer(NEW))).status, 401);
    assert.equal((await ask(made, '/v1/entries/other/a', bearer(OLD))).status, 403);
    assert.equal((await ask(made, '/clear', bearer(OLD), 'POST')).status, 403);
    assert.equal((await ask(made, '/healthz')).status, 200);
    assert.ok(!made.server.log.some(({ msg }) => msg?.includes('GET /clear')));
    for (const secret of [OLD, NEW]) assertNowhere(made, secret);
  });

  it('survives those who speak no TLS, or an old one, or nothing', async () => {
    const plain = connectPlain(made.server.port, '127.0.0.1');
    plain.on('error', () => undefined);
    plain.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    let answer = '';
    plain.on('data', (bytes) => {
      answer += bytes.toString('latin1');
    });
    await new Promise((resolve) => plain.on('close', resolve));
    assert.doesNotMatch(answer, /HTTP\/1\.1 200/);
    const { port } = made.server;
    const old = connectTls({ port, host: '127.0.0.1', minVersion: 'TLSv1', maxVersion: 'TLSv1.1' });
    await new Promise((resolve) => old.on('error', resolve));
    const silent = connectPlain(port, '127.0.0.1');
    silent.on('error', () => undefined);
    assert.equal((await ask(made, '/healthz')).status, 200);
    silent.destroy();
  });

  it('takes new tokens and a new certificate on SIGHUP, in all workers', async (t) => {
    const { certificate } = await ask(made, '/healthz');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const kept = (secret: string): Promise<Answer> =>
      ask(made, '/v1/entries/shop/a', bearer(secret), 'GET', agent);
    assert.equal((await kept(OLD)).status, 200);
    await replaceFile(made.tokens, listOf(NEW));
    await useCertificate(made.cert, made.key, 'two');
    await hangUp(made);
    assert.deepEqual(await statuses(made, OLD), new Set([401]));
    assert.deepEqual(await statuses(made, NEW), new Set([200]));
    // The connection was made when the old token was in force.
    assert.equal((await kept(OLD)).status, 401);
    for (let nth = 0; nth < 8; nth++) {
      assert.notEqual((await ask(made, '/healthz')).certificate, certificate);
    }
  });

  it('keeps what it has when the new files are broken, also in a worker that starts later', async () => {
    await replaceFile(made.tokens, `[{"name": "shop", "sha256": "${OLD}"}]`);
    await replaceFile(made.key, 'nothing');
    await hangUp(made);
    const errors = made.server.log.filter(({ level }) => level === 50).map(({ msg }) => msg);
    assert.equal(errors.length, 2);
    assert.match(
      errors[0] ?? '',
      /the tokens stay as they were: .*entry 1 \("shop"\): sha256 must/,
    );
    assert.match(errors[1] ?? '', /certificate and key stay as they were: --tls-key/);
    for (const victim of made.server.workerPids) {
      process.kill(victim, 'SIGKILL');
      await eventually(() => !isAlive(victim));
    }
    await eventually(async () => {
      const answer = await ask(made, '/healthz').catch(() => undefined);
      return answer?.status === 200 && made.server.workerPids.length === 2;
    }, 20_000);
    assert.deepEqual(await statuses(made, OLD), new Set([401]));
    assert.deepEqual(await statuses(made, NEW), new Set([200]));
    for (const secret of [OLD, NEW]) assertNowhere(made, secret);
    assert.equal(await made.server.stop(), 0);
    assert.equal(made.server.stderr, '');
  });
});

describe('a start', () => {
  /** What the start that is to fail says, and its exit code. */
  async function refusal(t: TestContext, ...args: string[]): Promise<[number | null, string]> {
    const directory = join(await temporaryDirectory(t), 'store');
    const all = ['--port', '0', '--db-path', directory, '--workers', '1', ...args];
    const server = ServerProcess.spawn(t, all);
    const { code } = await server.exit();
    return [code, server.stderr];
  }

  it('beyond loopback needs tokens or leave to do without', async (t) => {
    const [code, said] = await refusal(t, '--host', '0.0.0.0');
    assert.equal(code, 1);
    assert.match(said, /^bigcache: --host 0\.0\.0\.0 .*--token-file.*--allow-unprotected\n$/);
  });

  it('with a broken token file, or half of TLS, ends and says what to do', async (t) => {
    const tokens = join(await temporaryDirectory(t), 'tokens.json');
    await replaceFile(tokens, '[{"name": "shop"}]');
    const [code, said] = await refusal(t, '--token-file', tokens);
    assert.equal(code, 1);
    assert.match(said, /^bigcache: --token-file .*entry 1 \("shop"\): sha256 must be/);
    const half = await refusal(t, '--tls-cert', 'cert.pem');
    assert.deepEqual(half, [
      2,
      'bigcache: --tls-cert needs --tls-key beside it; give both or neither\n',
    ]);
  });
});
