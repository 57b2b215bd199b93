/** `/metrics`: everything that is counted, for Prometheus; sums over all processes. */
import type { FastifyInstance } from 'fastify';
import type { RouteDeps } from '../deps.ts';
import { EXPOSITION_TYPE, expositionOf } from '../metrics/exposition.ts';
import { FAMILIES } from '../metrics/families/all.ts';
import { type Snapshot, workerCountsOf } from '../metrics/family.ts';
import { sendBytes } from '../send.ts';
import { getAndHead } from './declare.ts';
import { Type } from './json-schema.ts';
import { errorAnswers } from './schemas.ts';

const EXAMPLE = [
  '# HELP bigcache_reads_total Reads of entries by what they found: hit, stale, miss, expired',
  '# TYPE bigcache_reads_total counter',
  'bigcache_reads_total{result="hit"} 1200',
  '',
].join('\n');

/** What all processes count, as the renderings take it. */
export async function snapshotOf(deps: RouteDeps): Promise<Snapshot> {
  const all = await deps.collectStatistics();
  const { version, traffic } = deps;
  return { ...all, version, routes: traffic.routesOf(all.tally), workers: workerCountsOf(all) };
}

export function metricsRoutes(app: FastifyInstance, deps: RouteDeps): void {
  getAndHead(app, {
    url: '/metrics',
    config: { access: 'read', storeWide: true },
    schema: {
      summary: 'Everything that is counted, for Prometheus',
      description:
        'Sums over all processes since the server was started, also while the store is closed. ' +
        '`/v1/stats` has the same as JSON; docs/metrics.md describes each series.',
      tags: ['statistics'],
      response: {
        200: {
          description: 'The text exposition format of Prometheus, version 0.0.4.',
          content: { 'text/plain': { schema: Type.String({ examples: [EXAMPLE] }) } },
        },
        ...errorAnswers(
          'STORE_WIDE_REFUSED',
          'STORE_UNAVAILABLE',
          'OVERLOADED',
          'DEADLINE_EXCEEDED',
        ),
      },
    },
    handler: async (_request, reply) => {
      const text = expositionOf(FAMILIES, await snapshotOf(deps));
      const headers = { 'content-type': EXPOSITION_TYPE, 'cache-control': 'no-store' };
      sendBytes(reply, 200, headers, Buffer.from(text));
    },
  });
}
