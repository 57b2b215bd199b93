/** Ctrl-C while a command runs, and a server that does not answer: how the command ends, and when. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runningServer } from '../../../src/primary/commands/running-server.ts';
import { ControlServer } from '../../../src/primary/control/control-server.ts';
import { PACKAGE_VERSION } from '../../../src/protocol/package-version.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { pattern, RAW_META } from '../../workers/store/store-subject.ts';
import { directoryElsewhere } from '../store/backup/backup-setup.ts';
import { SILENT } from '../store/store-setup.ts';
import { filledStore, leftovers } from './stopped-store-setup.ts';

const SRC = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'src');

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

function started(args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, ['--import', 'tsx', ...args]);
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, out, err }));
  return { child, ended };
}

/** Runs the command line and interrupts it at its first sign of progress. */
async function interrupted(...args: string[]): Promise<Ended> {
  const { child, ended } = started([join(SRC, 'primary.ts'), ...args]);
  child.stderr?.once('data', () => child.kill('SIGINT'));
  return await ended;
}

/** A store whose copy takes seconds at the lowest rate. */
const largeStore = (path: string): Promise<void> =>
  filledStore(path, async ({ store }) => {
    for (let nth = 0; nth < 6; nth++) await store.put(`k${nth}`, RAW_META, pattern(900_000, nth));
  });

describe('an interrupted command', () => {
  it('backup ends with 130 and leaves nothing', async (t) => {
    const store = await temporaryDirectory(t);
    await largeStore(store);
    const to = join(await directoryElsewhere(t), 'backup');
    const slow = ['--rate', '1MiB'];
    const { code, out, err } = await interrupted('backup', '--db-path', store, '--to', to, ...slow);
    assert.deepEqual([code, out], [130, ''], err);
    assert.match(err, /^bigcache: the backup was interrupted; nothing is left of it\n$/m);
    assert.ok(!existsSync(to));
    assert.deepEqual(await leftovers(store), []);
  });

  it('restore ends with 130 and changes nothing', async (t) => {
    const from = await temporaryDirectory(t);
    await largeStore(from);
    const home = await directoryElsewhere(t);
    const slow = ['--rate', '1MiB'];
    const to = join(home, 'new');
    const { code, err } = await interrupted('restore', '--db-path', to, '--from', from, ...slow);
    assert.equal(code, 130, err);
    assert.match(err, /^bigcache: the restore was interrupted; nothing was changed\n$/m);
    assert.deepEqual(readdirSync(home), []);
  });

  it('ends at once when it is interrupted a second time', async (t) => {
    const script = `
      import { watchInterruption } from ${JSON.stringify(join(SRC, 'primary/commands/interruption.ts'))};
      const { signal } = watchInterruption();
      signal.addEventListener('abort', () => console.log('noted'));
      setInterval(() => undefined, 1000);
      console.log('watching');
    `;
    const { child, ended } = started(['--input-type=module', '--eval', script]);
    t.after(() => child.kill('SIGKILL'));
    child.stdout?.on('data', () => child.kill('SIGINT'));
    const { signal, out } = await ended;
    assert.deepEqual([signal, out], ['SIGINT', 'watching\nnoted\n']);
  });
});

describe('a server that is asked who it is', () => {
  async function hanging(t: Parameters<typeof temporaryDirectory>[0]): Promise<string> {
    const directory = await temporaryDirectory(t);
    const serve = (_: unknown, signal: AbortSignal) =>
      once(signal, 'abort').then(() => Promise.reject(signal.reason));
    const server = await ControlServer.start({ directory, service: { serve }, log: SILENT });
    t.after(() => server.stop());
    return directory;
  }

  it('has so long to answer', async (t) => {
    const directory = await hanging(t);
    await assert.rejects(runningServer(directory, new AbortController().signal, 100), {
      name: 'CannotRunError',
      message: /^the server of .* has not answered for 0\.1 s; it may be stopped or hang/,
    });
  });

  it('is not waited for by a command that was interrupted, before or meanwhile', async (t) => {
    const directory = await hanging(t);
    const interruption = new AbortController();
    const asking = runningServer(directory, interruption.signal);
    setTimeout(() => interruption.abort(new Error('enough')), 100);
    await assert.rejects(asking, /enough/);
    await assert.rejects(runningServer(directory, interruption.signal), /enough/);
  });

  it('is found when it answers', async (t) => {
    const directory = await temporaryDirectory(t);
    const status = { pid: 1, version: PACKAGE_VERSION, uptimeMs: 1 };
    const service = { serve: async () => status };
    const server = await ControlServer.start({ directory, service, log: SILENT });
    const { signal } = new AbortController();
    const client = await runningServer(directory, signal);
    assert.deepEqual(await client?.ask({ op: 'status' }), status);
    await server.stop();
    assert.equal(await runningServer(directory, signal), undefined);
    await rm(directory, { recursive: true });
    assert.equal(await runningServer(directory, signal), undefined);
  });
});
