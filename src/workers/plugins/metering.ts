/**
 * The measuring of requests: when each came, what it was answered with, and whether that took long. A
 * request costs two looks at the clock and three additions.
 */
import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { keyFromTarget } from '../../protocol/key.ts';
import { loggedKey } from '../../protocol/logged-key.ts';
import type { RouteDeps } from '../deps.ts';
import { REQUEST_ID_HEADER } from '../http/request-id.ts';
import { SlowLog, type SlowRequest } from '../metrics/slow-log.ts';
import type { RouteBlock } from '../metrics/traffic.ts';
import { documentedUrl } from '../routes/docs.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Where the answers of the route are counted. */
    block?: RouteBlock;
  }
  interface FastifyRequest {
    /** When its head had come, on the clock of `performance.now`; 0 once it is answered. */
    arrivedAtMs: number;
    /** How long the store took for it; negative while that has only begun. */
    storeMs: number;
    /** How long it waited on purpose, for a lease. */
    waitedMs: number;
  }
  interface FastifyInstance {
    meter: Meter;
  }
}

/** Answers where no route is. */
const UNMATCHED = {
  route: 'unmatched',
  method: 'any',
  statuses: [400, 404, 405, 414, 421, 431, 503],
};
/** The page of the documentation has many files. */
const PAGE = { route: '/docs', method: 'GET', statuses: [200, 302, 304, 400, 404, 421, 431, 503] };

export class Meter {
  readonly #traffic: RouteDeps['traffic'];
  readonly #slowMs: number;
  readonly #slow: SlowLog;
  readonly #unmatched: RouteBlock;

  constructor({ traffic, log, config }: Pick<RouteDeps, 'traffic' | 'log' | 'config'>) {
    this.#traffic = traffic;
    this.#slowMs = config.slowMs;
    this.#slow = new SlowLog({ log, counts: traffic.counts });
    this.#unmatched = traffic.add(UNMATCHED.route, UNMATCHED.method, UNMATCHED.statuses);
  }

  /** Counts an answer whose head is about to leave, and has it name its request where that helps. */
  answered(reply: FastifyReply, status: number, headers: OutgoingHttpHeaders): void {
    const { request } = reply;
    // A request that the router cannot read has no hooks behind it, nor any of their figures.
    const hasArrived = request.arrivedAtMs > 0;
    const totalMs = hasArrived ? performance.now() - request.arrivedAtMs - request.waitedMs : 0;
    request.arrivedAtMs = 0;
    const block = request.routeOptions.config.block ?? this.#unmatched;
    this.#traffic.record(block, status, totalMs * 1000);
    if (status >= 500 || request.raw.headers[REQUEST_ID_HEADER] !== undefined) {
      headers[REQUEST_ID_HEADER] = request.id;
    }
    if (totalMs >= this.#slowMs) {
      const bytes = headers['content-length'];
      this.#slow.note(() => slowRequest(request, block, status, totalMs, bytes));
    }
  }

  close(): void {
    this.#slow.close();
  }
}

function slowRequest(
  request: FastifyRequest,
  { route, method }: RouteBlock,
  status: number,
  totalMs: number,
  bytes: unknown,
): SlowRequest {
  const key = keyOf(request);
  return {
    requestId: request.id,
    route,
    method: request.raw.method ?? method,
    ...(key === undefined ? {} : { key: loggedKey(key) }),
    status,
    ...(bytes === undefined ? {} : { bytes: Number(bytes) }),
    totalMs: Math.round(totalMs),
    storeMs: Math.round(storeMsOf(request)),
    ...(request.waitedMs === 0 ? {} : { waitedMs: Math.round(request.waitedMs) }),
  };
}

/** Where it is negative it has a begin and no end yet; see `enterStore`. */
function storeMsOf({ storeMs, waitedMs }: FastifyRequest): number {
  return storeMs < 0 ? storeMs + performance.now() - waitedMs : storeMs;
}

/** The key, or the prefix, that the request names; as it was sent, where it is none. */
function keyOf({ raw, routeOptions }: FastifyRequest): string | undefined {
  const { url } = routeOptions;
  if (url?.endsWith('*') !== true) return undefined;
  const target = (raw.url ?? '').slice(url.length - 1);
  try {
    return keyFromTarget(target, 'read');
  } catch {
    return target;
  }
}

/** The statuses that a route says it answers with, which are all that it does. */
function declaredStatuses({ schema }: RouteOptions): number[] {
  return Object.keys((schema?.response as object | undefined) ?? {})
    .map(Number)
    .filter((status) => Number.isInteger(status))
    .sort((one, other) => one - other);
}

/** HEAD counts as GET: it is the same work, but for the body. */
function blockOf(
  route: RouteOptions,
  { traffic }: RouteDeps,
  known: Map<string, RouteBlock>,
): RouteBlock {
  if (route.url.startsWith(PAGE.route)) {
    return traffic.add(PAGE.route, PAGE.method, PAGE.statuses);
  }
  const [declared = ''] = [route.method].flat();
  const method = declared === 'HEAD' ? 'GET' : declared;
  const place = `${method} ${route.url}`;
  const block =
    known.get(place) ??
    traffic.add(documentedUrl(route.url, route.schema ?? {}), method, declaredStatuses(route));
  known.set(place, block);
  return block;
}

/** Measures all routes of `app`. REQUIRES: called before any other hook and any route. */
export function installMetering(app: FastifyInstance, deps: RouteDeps): void {
  const meter = new Meter(deps);
  app.decorate('meter', meter);
  for (const name of ['arrivedAtMs', 'storeMs', 'waitedMs']) app.decorateRequest(name, 0);
  app.addHook('onRequest', (request, _reply, done) => {
    request.arrivedAtMs = performance.now();
    done();
  });
  const blocks = new Map<string, RouteBlock>();
  app.addHook('onRoute', (route) => {
    const block = blockOf(route, deps, blocks);
    route.config = { ...route.config, block };
    // Its answers are sent by fastify, past `writeHead`.
    if (block.route !== PAGE.route) return;
    route.onResponse = (request, reply, done) => {
      // What a guard refused was counted when it was.
      if (request.arrivedAtMs > 0) meter.answered(reply, reply.statusCode, {});
      done();
    };
  });
  app.addHook('onClose', () => meter.close());
}
