/**
 * The built server as a child process of a test: started on port 0 of loopback, stopped or killed by
 * its id. Everything that is started here is ended with the test.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually } from '../eventually.ts';

export const PRIMARY = fileURLToPath(new URL('../../dist/primary.js', import.meta.url));
const START_MAX_MS = 40_000;

/** One line of the server's log. */
export interface LogLine {
  readonly level?: number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

interface Cleanable {
  after(cleanUp: () => Promise<void>): void;
}

export class ServerProcess {
  readonly child: ChildProcess;
  readonly log: LogLine[] = [];
  stderr = '';
  /** Told of each line of the log. */
  onLine: (line: LogLine) => void = () => undefined;
  #url: string | undefined;
  #exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.#exit = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
    const { stdout, stderr } = child;
    assert.ok(stdout !== null && stderr !== null);
    createInterface({ input: stdout }).on('line', (line) => this.#read(line));
    stderr.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
  }

  /**
   * Starts the server and does not wait; for starts that are to fail. `under` is a command that becomes the
   * server, such as a shell that sets limits first.
   */
  static spawn(
    test: Cleanable,
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
    under: readonly string[] = [],
  ): ServerProcess {
    const [command = '', ...rest] = [...under, process.execPath, PRIMARY, ...args];
    const child = spawn(command, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    const server = new ServerProcess(child);
    test.after(() => server.end());
    return server;
  }

  /** Starts the server on a free port; resolves when it listens. */
  static async start(
    test: Cleanable,
    directory: string,
    ...args: readonly string[]
  ): Promise<ServerProcess> {
    const all = [
      '--db-path',
      directory,
      ...(args.includes('--port') ? [] : ['--port', '0']),
      ...args,
    ];
    const server = ServerProcess.spawn(test, all);
    await server.listening();
    return server;
  }

  async listening(): Promise<void> {
    await eventually(
      () => this.#url !== undefined || this.child.exitCode !== null || this.child.killed,
      START_MAX_MS,
    );
    assert.ok(this.#url !== undefined, `the server listens: ${this.stderr}`);
  }

  get url(): string {
    assert.ok(this.#url !== undefined, 'the server listens');
    return this.#url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get pid(): number {
    assert.ok(this.child.pid !== undefined);
    return this.child.pid;
  }

  /** The living worker processes. */
  get workerPids(): number[] {
    const children = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8');
    return children.trim().split(' ').filter(Boolean).map(Number).filter(isAlive);
  }

  /** Asks the server to stop; resolves with its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return (await this.#exit).code;
  }

  /** `kill -9` of the primary alone. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#exit;
  }

  async exit(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return this.#exit;
  }

  /** Ends whatever is left, for the end of a test. */
  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const workers = this.workerPids;
    await this.kill();
    for (const pid of workers) endProcess(pid);
  }

  #read(line: string): void {
    let parsed: LogLine;
    try {
      parsed = JSON.parse(line) as LogLine;
    } catch {
      parsed = { msg: line };
    }
    this.log.push(parsed);
    this.onLine(parsed);
    if (typeof parsed['url'] === 'string') this.#url = parsed['url'];
  }
}

export function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has gone by itself, as it should.
  }
}

export function isAlive(pid: number): boolean {
  try {
    // A zombie has ended and only waits to be collected.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Open descriptors of a process. */
export function descriptorCount(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Anonymous resident memory of a process, in bytes. */
export function anonymousBytes(pid: number): number {
  const kilobytes = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}

/** Whether the program `name` is on this machine. */
export function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
