import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../eventually.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { isAlive, ServerProcess } from './server-process.ts';

interface Stats {
  readonly stats: { hit: number; miss: number; expire: number; delete: number; hit_rate: string };
}

const post = (url: string, body: string): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    body,
    headers: { connection: 'close', 'content-type': 'application/json' },
  });

/** One request on a connection of its own, so that the answers come from several workers. */
async function ask(url: string, method = 'GET'): Promise<{ status: number; text: string }> {
  const answer = await fetch(url, { method, headers: { connection: 'close' } });
  return { status: answer.status, text: await answer.text() };
}

describe('the server', () => {
  it('serves from all workers what any of them stored, and sums their statistics', async (t) => {
    const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '3');
    assert.equal(server.workerPids.length, 3);
    for (let nth = 0; nth < 30; nth++) {
      const stored = await post(`${server.url}/cache/page?n=${nth}`, `{"value": ${nth}}`);
      assert.equal(stored.status, 200);
      await stored.arrayBuffer();
    }
    for (let nth = 0; nth < 30; nth++) {
      const { text } = await ask(`${server.url}/cache/page?n=${nth}`);
      assert.equal(JSON.parse(text).value, nth);
    }
    for (let nth = 0; nth < 10; nth++) {
      assert.equal((await ask(`${server.url}/cache/none/${nth}`)).status, 404);
    }
    assert.equal((await ask(`${server.url}/cache/page?n=0`, 'DELETE')).status, 200);
    for (let round = 0; round < 6; round++) {
      const { stats } = JSON.parse((await ask(`${server.url}/stat`)).text) as Stats;
      assert.deepEqual(stats, { hit: 30, miss: 10, expire: 0, delete: 1, hit_rate: '75.00%' });
    }
    assert.equal(await server.stop(), 0);
  });

  it('replaces a worker that dies, and keeps its counters', async (t) => {
    const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '2');
    for (let nth = 0; nth < 20; nth++) await ask(`${server.url}/cache/none`);
    await ask(`${server.url}/stat`);
    const before = server.workerPids;
    const [victim] = before;
    assert.ok(victim !== undefined);
    process.kill(victim, 'SIGKILL');
    await eventually(() => !isAlive(victim));
    await eventually(() => server.workerPids.length === 2, 10_000);
    await eventually(async () => {
      const { text } = await ask(`${server.url}/stat`);
      return (JSON.parse(text) as Stats).stats.miss === 20;
    }, 10_000);
    assert.notDeepEqual(server.workerPids, before);
    assert.equal(await server.stop(), 0);
  });

  it('leaves no worker behind when the primary is killed', async (t) => {
    const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '3');
    const workers = server.workerPids;
    await server.kill();
    await eventually(() => workers.every((pid) => !isAlive(pid)), 2000);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`answers what it accepted and exits with 0 on ${signal} to the whole tree`, async (t) => {
      const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '2');
      const socket = connect(server.port, '127.0.0.1');
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk.toString();
      });
      const half = 'x'.repeat(50_000);
      socket.write(
        `POST /pickle/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n${half}`,
      );
      await sleep(200);
      for (const pid of server.workerPids) process.kill(pid, signal);
      const stopping = server.stop(signal);
      await sleep(300);
      socket.write(half);
      await once(socket, 'close');
      assert.match(answer, /^HTTP\/1\.1 200 /);
      assert.match(answer, /connection: close/i);
      assert.equal(await stopping, 0);
      assert.equal(server.stderr, '');
    });
  }

  it('stops also while it starts', async (t) => {
    const args = ['--port', '0', '--db-path', await temporaryDirectory(t), '--workers', '2'];
    const server = ServerProcess.spawn(t, args);
    await eventually(() => server.workerPids.length > 0, 20_000);
    assert.equal(await server.stop(), 0);
    assert.ok(!server.log.some(({ msg }) => msg?.startsWith('listening')));
  });

  it('cuts a stop short at the drain timeout', async (t) => {
    const directory = await temporaryDirectory(t);
    const server = await ServerProcess.start(t, directory, '--drain-timeout', '500ms');
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('POST /pickle/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx');
    await sleep(200);
    assert.equal(await server.stop(), 0);
    socket.destroy();
  });

  it('keeps everything over a graceful restart', async (t) => {
    const directory = await temporaryDirectory(t);
    let server = await ServerProcess.start(t, directory);
    await post(`${server.url}/pickle/a%2Fb?x=%d1`, 'kept');
    assert.equal(await server.stop(), 0);
    server = await ServerProcess.start(t, directory);
    assert.deepEqual(await ask(`${server.url}/pickle/a/b?x=%D1`), { status: 200, text: 'kept' });
    assert.equal(await server.stop(), 0);
  });

  it('can be copied while it is closed, and opened again', async (t) => {
    const directory = await temporaryDirectory(t);
    const server = await ServerProcess.start(t, directory, '--workers', '2');
    await post(`${server.url}/pickle/a`, 'before');
    assert.equal((await ask(`${server.url}/close`)).status, 200);
    const refused = await ask(`${server.url}/pickle/a`);
    assert.equal(refused.status, 503);
    assert.match(refused.text, /STORE_CLOSED/);
    assert.equal((await ask(`${server.url}/open`, 'POST')).status, 200);
    assert.deepEqual(await ask(`${server.url}/pickle/a`), { status: 200, text: 'before' });
    assert.equal(await server.stop(), 0);
  });

  it('tells a process manager that waits when it is ready', async (t) => {
    const { fork } = await import('node:child_process');
    const child = fork(
      'dist/primary.js',
      ['--port', '0', '--db-path', await temporaryDirectory(t)],
      {
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      },
    );
    assert.deepEqual(await once(child, 'message'), ['ready', undefined]);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
});

describe('a server that cannot start', () => {
  async function failure(t: Parameters<typeof ServerProcess.spawn>[0], ...args: string[]) {
    const server = ServerProcess.spawn(t, args);
    const { code } = await server.exit();
    assert.equal(server.stderr.trim().split('\n').length, 1, server.stderr);
    return { code, line: server.stderr };
  }

  it('refuses a host beyond loopback that nobody allowed, with exit code 1', async (t) => {
    const directory = await temporaryDirectory(t);
    const { code, line } = await failure(t, '--host', '0.0.0.0', '--db-path', directory);
    assert.equal(code, 1);
    assert.match(line, /--allow-unprotected/);
  });
});
