/**
 * A steady load of reads over a few connections, which come at their time whether or not the server is
 * done with those before: so a stall is felt by each read that falls into it.
 */
import assert from 'node:assert/strict';
import { LatencyHistogram } from '../../bench/latency-histogram.ts';
import { LoadConnection } from '../../bench/load-connection.ts';

export interface SteadyReadsOptions {
  readonly port: number;
  readonly connections: number;
  /** About one read comes in each of these times. */
  readonly everyMs: number;
  /** Target of the nth read. Every answer must be 200. */
  target(nth: number): string;
}

/** One connection, and the reads that wait for it. */
interface Lane {
  readonly connection: LoadConnection;
  /** When each read came, the one under way first. */
  readonly cameAtMs: number[];
}

export class SteadyReads {
  readonly #options: SteadyReadsOptions;
  readonly #lanes: Lane[];
  #histogram = new LatencyHistogram();
  #failure: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nth = 0;

  private constructor(options: SteadyReadsOptions) {
    this.#options = options;
    this.#lanes = Array.from({ length: options.connections }, () => {
      const lane: Lane = {
        cameAtMs: [],
        connection: new LoadConnection(options.port, {
          onResponse: (_, status) => this.#answered(lane, status),
          onFailure: (_, reason) => {
            this.#failure ??= reason;
          },
        }),
      };
      return lane;
    });
  }

  static async start(options: SteadyReadsOptions): Promise<SteadyReads> {
    const reads = new SteadyReads(options);
    await Promise.all(reads.#lanes.map(({ connection }) => connection.opened));
    reads.#timer = setInterval(() => reads.#arrive(), options.everyMs);
    return reads;
  }

  /** Begins a new measurement: what is answered from now on counts into the histogram. */
  measure(): LatencyHistogram {
    this.#histogram = new LatencyHistogram();
    return this.#histogram;
  }

  /** Ends the load; fails when a read failed. */
  stop(): void {
    clearInterval(this.#timer);
    for (const { connection } of this.#lanes) connection.close();
    assert.equal(this.#failure, undefined);
  }

  #arrive(): void {
    const lane = this.#lanes[this.#nth % this.#lanes.length];
    this.#nth += 1;
    if (lane === undefined || this.#failure !== undefined) return;
    lane.cameAtMs.push(performance.now());
    if (lane.cameAtMs.length === 1) this.#send(lane);
  }

  #send({ connection }: Lane): void {
    const target = this.#options.target(this.#nth);
    connection.send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`, undefined);
  }

  #answered(lane: Lane, status: number): void {
    if (status !== 200) this.#failure ??= `a read was answered with ${status}`;
    const cameAtMs = lane.cameAtMs.shift() ?? Number.NaN;
    this.#histogram.record((performance.now() - cameAtMs) * 1000);
    if (lane.cameAtMs.length > 0) this.#send(lane);
  }
}
