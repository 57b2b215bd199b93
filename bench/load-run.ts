/** One run of load: sends until time or requests are used up, and measures from the client's side. */
import { randomBytes } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { LatencyHistogram } from './latency-histogram.ts';
import { type ConnectionEvents, LoadConnection } from './load-connection.ts';
import { keyOf, type LoadPlan, type LoadResult } from './load-plan.ts';

/** Bodies are pieces of this, so that each is another and none can be compressed. */
const RANDOM_BYTES = randomBytes(16 * 1024 * 1024);
const BODY_OFFSET_STEP = 4099;
const OWN_PAUSE_RESOLUTION_MS = 5;
/** How often a run at a fixed rate looks whether requests are due. */
const TICK_MS = 1;

export class LoadRun implements ConnectionEvents {
  readonly #plan: LoadPlan;
  readonly #head: string;
  readonly #headEnd: string;
  readonly #latencies = new LatencyHistogram();
  readonly #ownPauses = monitorEventLoopDelay({ resolution: OWN_PAUSE_RESOLUTION_MS });
  readonly #ownCpu = process.cpuUsage();
  readonly #startedAtMs = performance.now();
  #lastCompletedAtMs = this.#startedAtMs;
  #longestStallMs = 0;
  #sent = 0;
  #underWay = 0;
  /** Of a run at a fixed rate: the connections without a request, and when the next one is due. */
  readonly #free: LoadConnection[] = [];
  #dueAtMs = this.#startedAtMs;
  #ticks: NodeJS.Timeout | undefined;
  readonly #settled: Promise<LoadResult>;
  #resolve: (result: LoadResult) => void = () => undefined;
  #reject: (reason: Error) => void = () => undefined;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    const headers = [' HTTP/1.1', `Host: 127.0.0.1:${plan.port}`, ...plan.headers];
    if (plan.method === 'POST') {
      headers.push('Content-Type: application/octet-stream', `Content-Length: ${plan.bodyBytes}`);
    }
    this.#head = `${plan.method} ${plan.target.before}`;
    this.#headEnd = `${plan.target.after}${headers.join('\r\n')}\r\n\r\n`;
    this.#settled = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Sends over `connections`, or over new ones; rejects at the first answer that is not expected. */
  start(connections: Iterable<LoadConnection>): Promise<LoadResult> {
    this.#ownPauses.enable();
    const now = performance.now();
    const { newConnections, everyUs } = this.#plan;
    if (everyUs > 0) {
      this.#free.push(...connections);
      this.#ticks = setInterval(() => this.#tick(), TICK_MS);
      this.#tick();
    } else if (newConnections === 0) {
      for (const connection of connections) this.#next(connection, now);
    } else {
      for (let nth = 0; nth < newConnections; nth++) this.#nextConnection(now);
    }
    if (this.#underWay === 0) {
      this.onFailure(undefined, 'there is no connection to send over');
    }
    return this.#settled;
  }

  onResponse(connection: LoadConnection, status: number): void {
    const now = performance.now();
    this.#latencies.record((now - connection.startedAtMs) * 1000);
    this.#longestStallMs = Math.max(this.#longestStallMs, now - this.#lastCompletedAtMs);
    this.#lastCompletedAtMs = now;
    this.#underWay -= 1;
    if (status !== this.#plan.expectedStatus) {
      this.onFailure(connection, `the server answered ${status}`);
      return;
    }
    const { newConnections, everyUs } = this.#plan;
    if (everyUs > 0) this.#free.push(connection);
    else if (newConnections === 0) this.#next(connection, now);
    else {
      // The client closes first, as Python's requests.get does.
      connection.close();
      this.#nextConnection(now);
    }
    if (this.#underWay === 0 && (everyUs === 0 || this.#isOver(now))) this.#finish();
  }

  onFailure(_connection: LoadConnection | undefined, reason: string): void {
    clearInterval(this.#ticks);
    this.#ownPauses.disable();
    this.#reject(new Error(`after ${this.#latencies.total} responses: ${reason}`));
  }

  #isOver(now: number): boolean {
    const { requestsMax, durationMs } = this.#plan;
    return this.#sent >= requestsMax || now - this.#startedAtMs >= durationMs;
  }

  #next(connection: LoadConnection, now: number): void {
    if (this.#isOver(now)) return;
    const nth = this.#sent++;
    this.#underWay += 1;
    connection.startedAtMs = now;
    const head = this.#head + keyOf(this.#plan, nth) + this.#headEnd;
    connection.send(head, this.#plan.method === 'POST' ? this.#body(nth) : undefined);
  }

  /** Sends what is due; what finds no free connection comes as soon as one is free. */
  #tick(): void {
    const now = performance.now();
    while (this.#dueAtMs <= now && !this.#isOver(now)) {
      const connection = this.#free.shift();
      if (connection === undefined) return;
      this.#dueAtMs += this.#plan.everyUs / 1000;
      this.#next(connection, now);
    }
    if (this.#underWay === 0 && this.#isOver(now)) this.#finish();
  }

  #nextConnection(now: number): void {
    if (this.#isOver(now)) return;
    this.#next(new LoadConnection(this.#plan.port, this), now);
  }

  #body(nth: number): Buffer {
    const { bodyBytes, firstKey } = this.#plan;
    const offset = ((firstKey + nth) * BODY_OFFSET_STEP) % (RANDOM_BYTES.length - bodyBytes);
    return RANDOM_BYTES.subarray(offset, offset + bodyBytes);
  }

  #finish(): void {
    clearInterval(this.#ticks);
    this.#ownPauses.disable();
    const { user, system } = process.cpuUsage(this.#ownCpu);
    this.#resolve({
      requests: this.#latencies.total,
      durationMs: this.#lastCompletedAtMs - this.#startedAtMs,
      p50Us: this.#latencies.percentileUs(0.5),
      p99Us: this.#latencies.percentileUs(0.99),
      maxUs: this.#latencies.maxUs,
      longestStallMs: this.#longestStallMs,
      ownPauseMs: this.#ownPauses.max / 1e6,
      ownCpuUs: user + system,
    });
  }
}
