/** The load process, as the benchmark holds it: one command at a time, each answered. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LoadAnswer, LoadCommand, LoadPlan, LoadResult } from './load-plan.ts';

const LOAD_PROCESS = fileURLToPath(new URL('./load-process.ts', import.meta.url));

export class LoadGenerator {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(LOAD_PROCESS, [], { execArgv: ['--import', 'tsx'] });
  }

  /** Opens further connections to `port` of this host. */
  async open(port: number, connections: number): Promise<void> {
    await this.#ask({ do: 'open', port, connections });
  }

  async close(localPorts: readonly number[]): Promise<void> {
    await this.#ask({ do: 'close', localPorts });
  }

  async run(plan: LoadPlan): Promise<LoadResult> {
    const answer = await this.#ask({ do: 'run', plan });
    if (answer.kind !== 'result') throw new Error('a run ended without a result');
    return answer.result;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.disconnect();
    await exit;
  }

  async #ask(command: LoadCommand): Promise<LoadAnswer> {
    const ended = new AbortController();
    const exit = once(this.#child, 'exit', { signal: ended.signal }).then(() => {
      throw new Error('the load process has ended');
    });
    try {
      const message = once(this.#child, 'message', { signal: ended.signal });
      this.#child.send(command);
      const [answer] = (await Promise.race([message, exit])) as [LoadAnswer];
      if (answer.kind === 'failed') throw new Error(answer.reason);
      return answer;
    } finally {
      ended.abort();
      exit.catch(() => undefined);
    }
  }
}
