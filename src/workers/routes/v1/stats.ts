/** `/v1/stats`: what is counted, as JSON: reads, the generation time that hits saved, leases. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { RouteDeps } from '../../deps.ts';
import { getAndHead, sendJson } from '../declare.ts';
import { errorAnswers, STORAGE_ERRORS } from '../schemas.ts';

const Count = Type.Integer({ minimum: 0 });
const Saving = { hits: Count, savedMs: Count };

const StatsAnswer = Type.Object(
  {
    reads: Type.Object({ hit: Count, miss: Count, expire: Count }),
    deleted: Count,
    timeSaved: Type.Object(
      {
        ...Saving,
        bySegment: Type.Array(Type.Object({ segment: Type.String(), ...Saving }), {
          description: 'By the first segment of the path; beyond 100 of them, `other`.',
        }),
      },
      { description: 'Hits on entries whose generation cost is known, and that cost times hits.' },
    ),
    leases: Type.Object(
      {
        held: Count,
        waiting: Count,
        given: Count,
        handedOver: Count,
        lost: Count,
        refused: Count,
      },
      { description: '`held` and `waiting` are as of now.' },
    ),
  },
  {
    description: 'Sums over all processes, since the server was started.',
    examples: [
      {
        reads: { hit: 1200, miss: 40, expire: 3 },
        deleted: 2,
        timeSaved: {
          hits: 1100,
          savedMs: 495000,
          bySegment: [{ segment: 'catalogue', hits: 1100, savedMs: 495000 }],
        },
        leases: { held: 1, waiting: 12, given: 41, handedOver: 2, lost: 1, refused: 0 },
      },
    ],
  },
);

export function statsRoutes(app: FastifyInstance, deps: RouteDeps): void {
  getAndHead(app, {
    url: '/v1/stats',
    config: { access: 'read', storeWide: true },
    schema: {
      summary: 'Everything that is counted',
      tags: ['v1'],
      response: { 200: StatsAnswer, ...errorAnswers(...STORAGE_ERRORS) },
    },
    handler: async (_request, reply) => {
      const [counters, sums] = await Promise.all([deps.collectCounters(), deps.sumLeases()]);
      const { hit, miss, expire, delete: deleted } = counters;
      const { savings, leases } = sums;
      const bySegment = [...savings.bySegment].map(([segment, saving]) => ({ segment, ...saving }));
      sendJson(reply, {
        reads: { hit, miss, expire },
        deleted,
        timeSaved: { ...savings.total, bySegment },
        leases,
      });
    },
  });
}
