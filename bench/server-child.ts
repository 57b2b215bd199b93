/** A process that the benchmark starts for a server under measurement, and ends with itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const START_MAX_MS = 15_000;
const STOP_MAX_MS = 15_000;
const POLL_MS = 20;

const running = new Set<ServerChild>();
process.once('exit', () => {
  for (const child of running) child.kill();
});

export class ServerChild {
  readonly #command: string;
  readonly #child: ChildProcess;
  readonly #exitSignal: NodeJS.Signals;

  /**
   * Starts `command`. `exitSignal` ends it, and all that it started, where the benchmark ends without
   * a stop. `errors` is where its standard error goes.
   */
  constructor(
    command: string,
    args: readonly string[],
    exitSignal: NodeJS.Signals = 'SIGKILL',
    errors: 'inherit' | 'ignore' = 'inherit',
  ) {
    this.#command = command;
    this.#exitSignal = exitSignal;
    // Some end with this pipe.
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', errors] });
    this.#child.stdout?.resume();
    running.add(this);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#command} did not start`);
    return this.#child.pid;
  }

  /** What the first line of its output that fits `pattern` has in the parentheses. */
  async says(pattern: RegExp): Promise<string> {
    const { stdout } = this.#child;
    if (stdout === null) throw new Error(`${this.#command} has no output`);
    return await new Promise<string>((resolve, reject) => {
      this.#child.once('exit', () => reject(this.#endedEarly()));
      createInterface({ input: stdout }).on('line', (line) => {
        const found = pattern.exec(line)?.[1];
        if (found !== undefined) resolve(found);
      });
    });
  }

  /** Waits until something accepts connections at `address`, a port or the path of a socket. */
  async accepts(address: number | string): Promise<void> {
    await this.until(async () => await isAccepting(address), `nothing listens on ${address}`);
  }

  /** Waits for `condition`; throws where the process ends before, or takes too long. */
  async until(condition: () => Promise<boolean> | boolean, otherwise: string): Promise<void> {
    const giveUpAtMs = performance.now() + START_MAX_MS;
    while (!(await condition())) {
      if (this.#hasEnded) throw this.#endedEarly();
      if (performance.now() > giveUpAtMs) throw new Error(`${this.#command}: ${otherwise}`);
      await sleep(POLL_MS);
    }
  }

  async stop(): Promise<void> {
    if (!this.#hasEnded) {
      const exit = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MAX_MS);
      await exit;
      clearTimeout(late);
    }
    running.delete(this);
  }

  kill(): void {
    this.#child.kill(this.#exitSignal);
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  #endedEarly(): Error {
    return new Error(`${this.#command} ended before it listened`);
  }
}

/** Whether somebody listens on the port of loopback, or on the socket at the path. */
export function isAccepting(address: number | string): Promise<boolean> {
  return new Promise((resolve) => {
    const to =
      typeof address === 'number' ? { port: address, host: '127.0.0.1' } : { path: address };
    const socket = connect(to);
    socket.on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** `wanted`, or a port that nobody listened on a moment ago where that is 0. */
export async function portFor(wanted: number): Promise<number> {
  if (wanted !== 0) return wanted;
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('there is no free port');
  return address.port;
}
