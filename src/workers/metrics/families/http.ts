/** What goes over HTTP: requests by route, how long they take, connections, bytes. */
import type { ProcessFigures } from '../../../protocol/figures.ts';
import { counter, type Family, gauge, labelled, type Snapshot } from '../family.ts';

const ROUTE = ['route', 'method'] as const;

/** The sum of a figure over all processes. */
export function sumOf({ processes }: Snapshot, name: keyof ProcessFigures): number {
  return processes.reduce((sum, figures) => sum + figures[name], 0);
}

export const HTTP_FAMILIES: readonly Family[] = [
  labelled(
    'counter',
    'bigcache_http_requests_total',
    'requests',
    [...ROUTE, 'status'],
    'Requests that were answered, by declared route; HEAD counts as GET',
    ({ routes }) =>
      routes.flatMap(({ route, method, answers }) =>
        answers.map(([status, value]) => ({ labels: [route, method, status], value })),
      ),
  ),
  {
    type: 'histogram',
    name: 'bigcache_http_request_duration_seconds',
    path: ['latencyMs'],
    labels: ROUTE,
    help: 'From the head of a request to that of its answer, less what was waited for a lease',
    read: ({ routes }) =>
      routes.map(({ route, method, latencies, sumUs }) => ({
        labels: [route, method],
        value: { latencies, sumUs },
      })),
  },
  counter(
    'bigcache_http_received_bytes_total',
    'http.receivedBytes',
    'Bytes received over HTTP, heads included; with TLS what is inside',
    ({ workers }) => workers.bytesReceived,
  ),
  counter(
    'bigcache_http_sent_bytes_total',
    'http.sentBytes',
    'Bytes sent over HTTP, heads included; with TLS what is inside',
    ({ workers }) => workers.bytesSent,
  ),
  counter(
    'bigcache_http_connections_total',
    'http.connectionsAccepted',
    'Connections that were accepted',
    ({ workers }) => workers.connections,
  ),
  counter(
    'bigcache_http_connections_rebalanced_total',
    'http.connectionsRebalanced',
    'Kept connections that were ended with their answer, since their worker held too many',
    ({ workers }) => workers.connectionsRebalanced,
  ),
  counter(
    'bigcache_http_connections_refused_total',
    'http.connectionsRefused',
    'Connections that were closed as they came, since the limit of open files allows no more',
    ({ workers }) => workers.connectionsRefused,
  ),
  counter(
    'bigcache_http_connections_cut_total',
    'http.connectionsCut',
    'Connections that were ended, since their client took its answers too slowly, or had too many requests wait',
    ({ workers }) => workers.connectionsCut,
  ),
  gauge(
    'bigcache_http_connections_open',
    'http.connectionsOpen',
    'Connections that are open',
    (all) => sumOf(all, 'connectionsOpen'),
  ),
  counter(
    'bigcache_http_slow_requests_total',
    'http.slowRequests',
    'Requests that took --slow-ms or longer',
    ({ workers }) => workers.slowRequests,
  ),
  counter(
    'bigcache_http_slow_requests_unlogged_total',
    'http.slowRequestsUnlogged',
    'Slow requests of which the log says nothing, since there were too many',
    ({ workers }) => workers.slowLinesLeftOut,
  ),
];
