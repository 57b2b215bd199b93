/**
 * Clients that write and read without a pause, and note what became of each request: for restarts
 * under traffic.
 */
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** A request whose connection ended before its answer was whole. */
export interface CutRequest {
  readonly method: string;
  readonly path: string;
  readonly error: string;
}

/** What became of the requests. */
export interface Outcomes {
  answered: number;
  /** Nobody listened: the request was never sent. */
  refused: number;
  /** Answered with a 503 while the server stopped. */
  turnedAway: number;
  /** Sent on a kept connection that the server was closing as idle; clients send those again. */
  raced: number;
  /** The connection ended without an answer; `acceptedAmongCut` says whether it was accepted. */
  cut: CutRequest[];
  firstRefusedAt: number | undefined;
  lastRefusedAt: number | undefined;
}

const newOutcomes = (): Outcomes => ({
  answered: 0,
  refused: 0,
  turnedAway: 0,
  raced: 0,
  cut: [],
  firstRefusedAt: undefined,
  lastRefusedAt: undefined,
});

const BODY = Buffer.alloc(20_000, 'x');

export class Traffic {
  readonly outcomes = newOutcomes();
  readonly #port: number;
  readonly #acknowledged: string[] = [];
  #isStopped = false;
  readonly #clients: Promise<void>[];

  /**
   * Half of the clients keep their connection and write and read, the others make one for each write.
   * Each write has a key of its own, so that it can be told later whether it was accepted.
   */
  constructor(port: number, clients = 8) {
    this.#port = port;
    this.#clients = Array.from({ length: clients }, (_, nth) => this.#run(nth, nth % 2 === 0));
  }

  /** Milliseconds from the first refused connection to the last one. */
  get refusedForMs(): number {
    const { firstRefusedAt, lastRefusedAt } = this.outcomes;
    return firstRefusedAt === undefined || lastRefusedAt === undefined
      ? 0
      : lastRefusedAt - firstRefusedAt;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#clients);
  }

  /**
   * The cut requests that the server had accepted: those whose write is there. What
   * waited in the kernel when the last listening socket was closed is cut too, and was never seen by the
   * server; of a read nobody can tell afterwards, so they are few or something is wrong.
   */
  async acceptedAmongCut(): Promise<CutRequest[]> {
    const accepted: CutRequest[] = [];
    for (const cut of this.outcomes.cut) {
      if (cut.method !== 'POST') continue;
      const { status } = await fetch(`http://127.0.0.1:${this.#port}${cut.path}`);
      if (status === 200) accepted.push(cut);
    }
    return accepted;
  }

  /** The paths of writes that were acknowledged and are not there. */
  async lostAmongAcknowledged(): Promise<string[]> {
    const lost: string[] = [];
    for (const path of this.#acknowledged) {
      const { status } = await fetch(`http://127.0.0.1:${this.#port}${path}`);
      if (status !== 200) lost.push(path);
    }
    return lost;
  }

  async #run(nth: number, keepsConnection: boolean): Promise<void> {
    const agent = keepsConnection ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
    for (let round = 0; !this.#isStopped; round++) {
      const reads = keepsConnection && round % 4 !== 0;
      const write = reads ? round - (round % 4) : round;
      await this.#ask(reads ? 'GET' : 'POST', `/pickle/client/${nth}/${write}`, agent);
    }
    agent?.destroy();
  }

  async #ask(method: string, path: string, agent: Agent | undefined): Promise<void> {
    const asked = request({
      port: this.#port,
      host: '127.0.0.1',
      method,
      path,
      agent: agent ?? false,
      headers: method === 'POST' ? { 'content-length': BODY.length } : {},
    });
    try {
      const status = await answerTo(asked, method === 'POST' ? BODY : undefined);
      if (status === 503) this.outcomes.turnedAway += 1;
      else this.outcomes.answered += 1;
      if (method === 'POST' && status === 200) this.#acknowledged.push(path);
    } catch (error) {
      this.#failed(asked, error as NodeJS.ErrnoException);
      await sleep(2);
    }
  }

  #failed(asked: ClientRequest, error: NodeJS.ErrnoException): void {
    const { outcomes } = this;
    if (error.code === 'ECONNREFUSED') {
      const now = performance.now();
      outcomes.refused += 1;
      outcomes.firstRefusedAt ??= now;
      outcomes.lastRefusedAt = now;
    } else if (asked.reusedSocket && !asked.res) {
      outcomes.raced += 1;
    } else {
      outcomes.cut.push({ method: asked.method, path: asked.path, error: error.message });
    }
  }
}

declare module 'node:http' {
  interface ClientRequest {
    /** Set by Node once an answer has begun. */
    res?: IncomingMessage | null;
  }
}

function answerTo(asked: ClientRequest, body: Buffer | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    asked.on('error', reject);
    asked.on('response', (response) => {
      response.on('error', reject);
      response.on('end', () => {
        if (response.complete) resolve(response.statusCode ?? 0);
        else reject(new Error('the answer was cut off'));
      });
      response.resume();
    });
    asked.end(body);
  });
}
