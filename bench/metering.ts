/**
 * `npm run bench:metering`: what it costs a worker to measure a request: the count of an answer by route,
 * status and latency, the id of the request, and both with the looks at the clock; the best of several
 * runs, in nanoseconds.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { OPTIONS } from '../src/protocol/config.ts';
import { requestIds } from '../src/workers/http/request-id.ts';
import { Traffic } from '../src/workers/metrics/traffic.ts';
import { Meter } from '../src/workers/plugins/metering.ts';
import { enterStore } from '../src/workers/routes/declare.ts';
import { renderTable } from './table.ts';

const CALLS = 200_000;
const RUNS = 12;
const LATENCIES = 1024;

const traffic = new Traffic();
const log = { error: drop, warn: drop, info: drop, debug: drop };
const defaults = Object.fromEntries(OPTIONS.map(({ name, default: value }) => [name, value]));
const meter = new Meter({ traffic, log, config: defaults as never });
const block = traffic.add('/v1/entries/{key}', 'GET', [200, 206, 304, 400, 404, 503]);
const latenciesUs = Array.from({ length: LATENCIES }, (_, nth) => 50 + ((nth * 7919) % 5000));
const nextId = requestIds();
const raw = { headers: { host: 'localhost' }, method: 'GET', url: '/v1/entries/a' };

function drop(): void {}

/** A request as far as it is looked at; fastify makes the route's options anew each time too. */
class AskedFor {
  readonly raw = raw;
  readonly id = 'x';
  arrivedAtMs = 0;
  storeMs = 0;
  waitedMs = 0;

  get routeOptions() {
    return { method: 'GET', url: '/v1/entries/*', config: { block }, handler: drop, schema: raw };
  }
}

const request = new AskedFor();
const reply = { request } as unknown as FastifyReply;

const WORKS = {
  'count an answer': (nth: number) => traffic.record(block, 200, latenciesUs[nth % LATENCIES] ?? 0),
  'make an id': () => nextId(raw),
  'all of a request': () => {
    nextId(raw);
    request.arrivedAtMs = performance.now();
    enterStore(request as unknown as FastifyRequest, false);
    meter.answered(reply, 200, {});
  },
} as const;

function nanosecondsOf(work: (nth: number) => unknown): number {
  const startedAt = performance.now();
  for (let nth = 0; nth < CALLS; nth++) work(nth);
  return (1e6 * (performance.now() - startedAt)) / CALLS;
}

const rows = Object.entries(WORKS).map(([what, work]) => [
  what,
  Math.min(...Array.from({ length: RUNS }, () => nanosecondsOf(work))).toFixed(0),
]);
console.log(
  renderTable(
    [
      { title: 'work', align: 'left' },
      { title: 'ns', align: 'right' },
    ],
    rows,
  ),
);
