/** `/stat` and `/stat/count`: what all processes counted since the server's start, and what is stored. */
import type { FastifyInstance } from 'fastify';
import type { RouteDeps } from '../deps.ts';
import { getAndHead, sendJson } from './declare.ts';
import { Type } from './json-schema.ts';
import { errorAnswers, STORAGE_ERRORS } from './schemas.ts';

const Count = Type.Integer({ minimum: 0 });

const StatAnswer = Type.Object(
  {
    stats: Type.Object({
      hit: Count,
      miss: Type.Integer({ minimum: 0, description: 'Reads of keys that were not there.' }),
      expire: Type.Integer({ minimum: 0, description: 'Reads that found an expired entry.' }),
      delete: Type.Integer({ minimum: 0, description: 'Entries removed, also by prefix.' }),
      hit_rate: Type.String({ description: 'hit / (hit + miss), in percent.' }),
    }),
  },
  {
    description: 'Sums over all processes.',
    examples: [{ stats: { hit: 2, miss: 1, expire: 0, delete: 0, hit_rate: '66.67%' } }],
  },
);

const CountAnswer = Type.Object(
  { count: Count },
  {
    description: 'Entries in the store, expired ones included until they are swept.',
    examples: [{ count: 3 }],
  },
);

/** Hits per hundred reads that were hits or plain misses. A read of an expired entry is neither. */
export function hitRate(hit: number, miss: number): string {
  const rate = hit + miss === 0 ? 0 : (100 * hit) / (hit + miss);
  return `${rate.toFixed(2)}%`;
}

export function statRoutes(app: FastifyInstance, deps: RouteDeps): void {
  getAndHead(app, {
    url: '/stat',
    config: { access: 'read', storeWide: true },
    schema: {
      summary: 'Hits, misses and the rate of hits',
      tags: ['statistics'],
      response: {
        200: StatAnswer,
        ...errorAnswers('STORE_WIDE_REFUSED', 'STORE_UNAVAILABLE', 'DEADLINE_EXCEEDED'),
      },
    },
    handler: async (_request, reply) => {
      const { hit, miss, expire, delete: deleted } = await deps.collectCounters();
      const stats = { hit, miss, expire, delete: deleted, hit_rate: hitRate(hit, miss) };
      sendJson(reply, { stats });
    },
  });
  getAndHead(app, {
    url: '/stat/count',
    config: { access: 'read', storeWide: true },
    schema: {
      summary: 'How many entries the store holds',
      tags: ['statistics'],
      response: { 200: CountAnswer, ...errorAnswers('STORE_WIDE_REFUSED', ...STORAGE_ERRORS) },
    },
    handler: async (_request, reply) => sendJson(reply, { count: await deps.store.count() }),
  });
}
