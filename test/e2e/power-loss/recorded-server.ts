/**
 * The built server under strace, which records what becomes of its files. Started on port 0, ended
 * by the id of its primary.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { eventually } from '../../eventually.ts';
import { PRIMARY } from '../server-process.ts';
import { TRACED_CALLS } from './trace.ts';

const START_MAX_MS = 180_000;
/** Longer strings would be cut, and the record with them. */
const STRING_BYTES_MAX = 64 * 1024 * 1024;

interface Cleanable {
  after(cleanUp: () => Promise<void>): void;
}

export class RecordedServer {
  readonly #tracer: ChildProcess;
  readonly #exit: Promise<unknown>;
  #url = '';
  #pid = 0;

  private constructor(tracer: ChildProcess) {
    this.#tracer = tracer;
    this.#exit = once(tracer, 'exit');
    assert.ok(tracer.stdout !== null);
    createInterface({ input: tracer.stdout }).on('line', (line) => this.#read(line));
  }

  static async start(
    test: Cleanable,
    trace: string,
    preload: string,
    args: readonly string[],
  ): Promise<RecordedServer> {
    const strace = ['-f', '--seccomp-bpf', '-ttt', '-y', '-xx', '-s', String(STRING_BYTES_MAX)];
    const traced = ['-e', `trace=${TRACED_CALLS}`, '-e', 'signal=none', '-o', trace];
    const node = [process.execPath, '--import', preload, PRIMARY];
    const command = [...node, '--port', '0', ...args];
    const tracer = spawn('strace', [...strace, ...traced, ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const server = new RecordedServer(tracer);
    test.after(() => server.end());
    await eventually(() => server.#url !== '' || tracer.exitCode !== null, START_MAX_MS);
    assert.ok(server.#url !== '', 'the server listens under strace');
    return server;
  }

  get url(): string {
    return this.#url;
  }

  /** Ends the primary; resolves when all its processes are gone and the record is whole. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    process.kill(this.#pid, signal);
    await this.#exit;
  }

  async end(): Promise<void> {
    if (this.#tracer.exitCode !== null || this.#tracer.signalCode !== null) return;
    if (this.#pid !== 0) process.kill(this.#pid, 'SIGKILL');
    else this.#tracer.kill('SIGKILL');
    await this.#exit;
  }

  #read(line: string): void {
    if (!line.startsWith('{')) return;
    const { url, pid } = JSON.parse(line) as Record<string, unknown>;
    if (typeof url !== 'string' || typeof pid !== 'number') return;
    this.#pid = pid;
    this.#url = url;
  }
}
