/**
 * A steady load of requests over a few connections, which come at their time whether or not the server
 * is done with those before: so a stall is felt by each request that falls into it.
 */
import assert from 'node:assert/strict';
import { LatencyHistogram } from '../../bench/latency-histogram.ts';
import { LoadConnection } from '../../bench/load-connection.ts';
import { eventually } from '../eventually.ts';

export interface SteadyRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly target: string;
  readonly body?: Buffer;
}

export interface SteadyLoadOptions {
  readonly port: number;
  readonly connections: number;
  /** One request comes in each of these times. */
  readonly everyMs: number;
  /** The nth request, asked for once and in order. Every answer must be 200. */
  request(nth: number): SteadyRequest;
}

/** Requests that come at once, at most, where the timer was late; what is beyond comes later. */
const CATCH_UP_MAX = 16;
const ANSWERS_WITHIN_MS = 20_000;

/** A request, and when it came. */
interface Arrival {
  readonly request: SteadyRequest;
  readonly atMs: number;
}

/** One connection, and the requests that wait for it, the one under way first. */
interface Lane {
  readonly connection: LoadConnection;
  readonly arrivals: Arrival[];
}

export class SteadyLoad {
  readonly #options: SteadyLoadOptions;
  readonly #lanes: Lane[];
  #histogram = new LatencyHistogram();
  #failure: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nth = 0;
  #nextAtMs = 0;

  private constructor(options: SteadyLoadOptions) {
    this.#options = options;
    this.#lanes = Array.from({ length: options.connections }, () => {
      const lane: Lane = {
        arrivals: [],
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

  static async start(options: SteadyLoadOptions): Promise<SteadyLoad> {
    const load = new SteadyLoad(options);
    await Promise.all(load.#lanes.map(({ connection }) => connection.opened));
    load.#nextAtMs = performance.now();
    load.#timer = setInterval(() => load.#tick(), options.everyMs);
    return load;
  }

  /** Begins a new measurement: what is answered from now on counts into the histogram. */
  measure(): LatencyHistogram {
    this.#histogram = new LatencyHistogram();
    return this.#histogram;
  }

  /** Ends the load when all that has come is answered; fails when a request failed. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const isIdle = (): boolean => this.#lanes.every(({ arrivals }) => arrivals.length === 0);
    await eventually(() => this.#failure !== undefined || isIdle(), ANSWERS_WITHIN_MS);
    for (const { connection } of this.#lanes) connection.close();
    assert.equal(this.#failure, undefined);
  }

  /** A timer of Node is late by up to a millisecond each time; the rate is kept all the same. */
  #tick(): void {
    const now = performance.now();
    for (let caughtUp = 0; caughtUp < CATCH_UP_MAX && this.#nextAtMs <= now; caughtUp++) {
      this.#nextAtMs += this.#options.everyMs;
      this.#arrive(now);
    }
  }

  #arrive(atMs: number): void {
    const lane = this.#lanes[this.#nth % this.#lanes.length];
    if (lane === undefined || this.#failure !== undefined) return;
    lane.arrivals.push({ request: this.#options.request(this.#nth), atMs });
    this.#nth += 1;
    if (lane.arrivals.length === 1) this.#send(lane);
  }

  #send({ connection, arrivals }: Lane): void {
    const request = arrivals[0]?.request;
    if (request === undefined) return;
    const { method, target, body } = request;
    const length = body === undefined ? '' : `Content-Length: ${body.length}\r\n`;
    connection.send(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${length}\r\n`, body);
  }

  #answered(lane: Lane, status: number): void {
    if (status !== 200) this.#failure ??= `a request was answered with ${status}`;
    const atMs = lane.arrivals.shift()?.atMs ?? Number.NaN;
    this.#histogram.record((performance.now() - atMs) * 1000);
    if (lane.arrivals.length > 0) this.#send(lane);
  }
}

/** The figures of a measurement, in one line. */
export function describeLatencies(measured: LatencyHistogram): string {
  const ms = (us: number): string => (us / 1000).toFixed(2);
  return (
    `p50 ${ms(measured.percentileUs(0.5))} ms, p99 ${ms(measured.percentileUs(0.99))} ms, ` +
    `max ${ms(measured.maxUs)} ms of ${measured.total}`
  );
}
