/**
 * Under the real pm2, both ways of starting: ready when it listens, a restart under traffic that cuts
 * nothing off, a stop that leaves nothing behind. The stage that runs this installs pm2;
 * BIGCACHE_PM2 names its command.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { isAlive } from '../server-process.ts';
import { workersReady } from '../workers-ready.ts';
import { Traffic } from './traffic.ts';

/** Connections that wait in the kernel in the moment in which the last listening socket is closed. */
const RESET_MAX = 4;
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const run = promisify(execFile);

interface Pm2Process {
  readonly pid: number;
  readonly pm2_env: { readonly status: string; readonly restart_time: number };
}

class Pm2 {
  readonly #env: NodeJS.ProcessEnv;
  readonly #command: string;

  constructor(home: string, env: NodeJS.ProcessEnv) {
    const command = process.env['BIGCACHE_PM2'];
    assert.ok(command !== undefined, 'BIGCACHE_PM2 names the pm2 command; see scripts/ci-slow.sh');
    this.#command = command;
    this.#env = { ...process.env, ...env, PM2_HOME: home };
  }

  async call(...args: readonly string[]): Promise<string> {
    const options = { env: this.#env, cwd: ROOT, maxBuffer: 2 ** 26 };
    return (await run(process.execPath, [this.#command, ...args], options)).stdout;
  }

  async process(): Promise<Pm2Process> {
    const [first] = JSON.parse(await this.call('jlist')) as Pm2Process[];
    assert.ok(first !== undefined);
    return first;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

async function workersOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.trim().split(' ').filter(Boolean).map(Number);
}

const WAYS = [
  {
    name: 'with the ecosystem file',
    start: (): string[] => ['start', 'ecosystem.config.cjs'],
    env: (port: number, path: string) => ({
      BIGCACHE_PORT: String(port),
      BIGCACHE_DB_PATH: path,
      BIGCACHE_WORKERS: '4',
    }),
  },
  {
    name: 'as a plain script',
    start: (port: number, path: string): string[] => [
      ...['start', 'dist/primary.js', '--name', 'bigcache', '--', '--workers', '4'],
      ...['--port', String(port), '--db-path', path],
    ],
    env: () => ({}),
  },
];

describe('under pm2', () => {
  for (const way of WAYS) {
    it(`starts, restarts under traffic and stops ${way.name}`, async (t) => {
      const port = await freePort();
      const path = join(await temporaryDirectory(t), 'store');
      const home = await temporaryDirectory(t);
      const pm2 = new Pm2(home, way.env(port, path));
      t.after(async () => {
        await pm2.call('kill');
      });
      const startedAt = performance.now();
      await pm2.call(...way.start(port, path));
      const url = `http://127.0.0.1:${port}`;
      await eventually(() => isReady(url), 20_000);
      const startMs = performance.now() - startedAt;
      const first = await pm2.process();
      assert.equal((await workersOf(first.pid)).length, 4);

      const traffic = new Traffic(port);
      await sleep(2000);
      await pm2.call('restart', 'bigcache');
      await eventually(() => isReady(url), 20_000);
      await sleep(1000);
      await traffic.stop();
      const { outcomes } = traffic;
      const accepted = await traffic.acceptedAmongCut();
      const lost = await traffic.lostAmongAcknowledged();
      const second = await pm2.process();
      assert.notEqual(second.pid, first.pid);
      assert.equal(second.pm2_env.restart_time, 1);

      const workers = await workersOf(second.pid);
      await pm2.call('stop', 'bigcache');
      await eventually(() => [second.pid, ...workers].every((pid) => !isAlive(pid)), 5000);
      t.diagnostic(
        `${way.name}: start ${startMs.toFixed(0)} ms; restart under traffic: ` +
          `${outcomes.answered} answered, ${lost.length} lost, ${accepted.length} accepted and cut, ` +
          `${outcomes.cut.length - accepted.length} reset before they were accepted, ` +
          `${outcomes.raced} sent again, ${outcomes.turnedAway} answered with 503, ` +
          `connections refused for ${traffic.refusedForMs.toFixed(0)} ms`,
      );
      assert.deepEqual([accepted, lost], [[], []]);
      assert.ok(outcomes.cut.length <= RESET_MAX, `${outcomes.cut.length} connections were reset`);
      assert.ok(outcomes.answered > 1000);
    });
  }

  it('is there again, with all it had acknowledged, soon after kill -9 of the primary', async (t) => {
    const [way] = WAYS;
    assert.ok(way !== undefined);
    const [port, path] = [await freePort(), join(await temporaryDirectory(t), 'store')];
    const pm2 = new Pm2(await temporaryDirectory(t), way.env(port, path));
    t.after(async () => {
      await pm2.call('kill');
    });
    await pm2.call(...way.start(port, path));
    const url = `http://127.0.0.1:${port}`;
    await eventually(() => isReady(url), 20_000);
    const { pid } = await pm2.process();
    const traffic = new Traffic(port);
    await sleep(1000);
    const killedAtMs = performance.now();
    process.kill(pid, 'SIGKILL');
    await eventually(async () => !isAlive(pid) && (await isReady(url)), 20_000);
    const readyMs = performance.now() - killedAtMs;
    await eventually(async () => (await workersReady(url)) === 4, 10_000);
    const wholeMs = performance.now() - killedAtMs;
    await sleep(500);
    await traffic.stop();
    const lost = await traffic.lostAmongAcknowledged();
    t.diagnostic(
      `kill -9 of the primary: ready after ${readyMs.toFixed(0)} ms, all workers after ` +
        `${wholeMs.toFixed(0)} ms; ${traffic.outcomes.answered} answered, ${lost.length} lost`,
    );
    assert.deepEqual(lost, []);
    // 5 s are promised, for a machine that has nothing else to do.
    assert.ok(wholeMs < 10_000, `it took ${wholeMs} ms`);
  });

  it('refuses to run in its cluster mode, and says what to do', async (t) => {
    const home = await temporaryDirectory(t);
    const path = join(await temporaryDirectory(t), 'store');
    const pm2 = new Pm2(home, { BIGCACHE_PORT: '0', BIGCACHE_DB_PATH: path });
    t.after(async () => {
      await pm2.call('kill');
    });
    const start = ['start', 'dist/primary.js', '-i', '2', '--no-autorestart', '--name', 'wrong'];
    await pm2.call(...start);
    await eventually(async () => (await pm2.process()).pm2_env.status === 'stopped', 10_000);
    const log = await readFile(join(home, 'logs', 'wrong-error-0.log'), 'utf8');
    assert.match(log, /^bigcache: pm2's cluster mode .* exec_mode fork/m);
  });
});

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).status === 200;
  } catch {
    return false;
  }
}
