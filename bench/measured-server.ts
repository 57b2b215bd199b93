/** A server under measurement: the built one or the bare one, with all of its processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { clientPortsOf } from '../test/e2e/chaos/connections.ts';
import { figuresOf, nodeChildrenOf, type ProcessFigures } from './process-figures.ts';

const PRIMARY = fileURLToPath(new URL('../dist/primary.js', import.meta.url));
const BARE_SERVER = fileURLToPath(new URL('./bare-server.ts', import.meta.url));
const SETTLE_EVERY_MS = 250;
const SETTLE_MAX_MS = 15_000;

export interface ServerSetup {
  readonly workers: number;
  readonly port: number;
  readonly profileDirectory: string | undefined;
}

/** Sums over all processes; memory by process, the primary's first. */
export interface ServerFigures extends Omit<ProcessFigures, 'anonymousBytes'> {
  readonly anonymousBytes: readonly number[];
}

export class MeasuredServer {
  readonly name: 'bigcache' | 'bare';
  readonly #child: ChildProcess;
  readonly #kill = (): void => {
    this.#child.kill('SIGKILL');
  };
  #port = 0;
  #workerPids: readonly number[] = [];

  private constructor(name: MeasuredServer['name'], args: readonly string[]) {
    this.name = name;
    // `bare` ends with this pipe.
    const stdio: ['pipe', 'pipe', 'inherit'] = ['pipe', 'pipe', 'inherit'];
    this.#child = spawn(process.execPath, args, { stdio });
    process.once('exit', this.#kill);
  }

  /** The built server, on a fresh or used store in `directory`. */
  static startBuilt(setup: ServerSetup, directory: string): Promise<MeasuredServer> {
    const { workers, port, profileDirectory } = setup;
    const profile =
      profileDirectory === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDirectory];
    const args = ['--workers', workers, '--port', port, '--db-path', directory].map(String);
    return new MeasuredServer('bigcache', [...profile, PRIMARY, ...args]).#listening(workers);
  }

  static startBare(setup: ServerSetup, bodyBytes: number): Promise<MeasuredServer> {
    const port = setup.port === 0 ? 0 : setup.port + 1;
    const args = [port, setup.workers, bodyBytes].map(String);
    const server = new MeasuredServer('bare', ['--import', 'tsx', BARE_SERVER, ...args]);
    return server.#listening(setup.workers);
  }

  get port(): number {
    return this.#port;
  }

  /** The client ports of the connections that each worker holds. */
  connectionsByWorker(): Set<number>[] {
    return this.#workerPids.map((pid) => {
      const ports = clientPortsOf(pid, this.#port);
      // The listening socket has no client.
      ports.delete(0);
      return ports;
    });
  }

  figures(): ServerFigures {
    const all = [this.#pid, ...this.#workerPids].map(figuresOf);
    const sum = (of: (one: ProcessFigures) => number): number =>
      all.reduce((total, one) => total + of(one), 0);
    return {
      cpuUs: sum((one) => one.cpuUs),
      writtenBytes: sum((one) => one.writtenBytes),
      readBytes: sum((one) => one.readBytes),
      anonymousBytes: all.map((one) => one.anonymousBytes),
    };
  }

  /** The figures once nothing was written for `quietMs`, or compactions take too long. */
  async settledFigures(quietMs: number): Promise<ServerFigures> {
    if (this.name === 'bare') return this.figures();
    const giveUpAtMs = performance.now() + SETTLE_MAX_MS;
    let figures = this.figures();
    let changedAtMs = performance.now();
    while (performance.now() < Math.min(changedAtMs + quietMs, giveUpAtMs)) {
      await sleep(Math.min(SETTLE_EVERY_MS, quietMs));
      const next = this.figures();
      if (next.writtenBytes !== figures.writtenBytes) changedAtMs = performance.now();
      figures = next;
    }
    return figures;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exit = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await exit;
    }
    process.removeListener('exit', this.#kill);
  }

  get #pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} did not start`);
    return this.#child.pid;
  }

  /** Resolves when the log says where it listens. */
  async #listening(workers: number): Promise<this> {
    const { stdout } = this.#child;
    if (stdout === null) throw new Error(`${this.name} has no output`);
    const url = await new Promise<string>((resolve, reject) => {
      this.#child.once('exit', () => reject(new Error(`${this.name} ended before it listened`)));
      createInterface({ input: stdout }).on('line', (line) => {
        const found = /"url":"([^"]+)"/.exec(line)?.[1];
        if (found !== undefined) resolve(found);
      });
    });
    this.#port = Number(new URL(url).port);
    this.#workerPids = nodeChildrenOf(this.#pid);
    if (this.#workerPids.length === workers) return this;
    throw new Error(`${this.name} has ${this.#workerPids.length} workers, not ${workers}`);
  }
}
