/** `/v1/stats`: everything that is counted, as JSON; the series are those of `/metrics`. */
import type { FastifyInstance } from 'fastify';
import type { RouteDeps } from '../../deps.ts';
import { asJson, jsonSchemaOf, place, type Tree } from '../../metrics/as-json.ts';
import { EXAMPLE_SNAPSHOT } from '../../metrics/example.ts';
import { FAMILIES } from '../../metrics/families/all.ts';
import type { Snapshot } from '../../metrics/family.ts';
import { getAndHead, sendJson } from '../declare.ts';
import { Type } from '../json-schema.ts';
import { snapshotOf } from '../metrics.ts';
import { errorAnswers } from '../schemas.ts';

const Count = Type.Integer({ minimum: 0 });

/** Segments come from keys, so they are no labels of series, which are all known in advance. */
const BY_SEGMENT = {
  path: ['timeSaved', 'bySegment'],
  schema: Type.Array(Type.Object({ segment: Type.String(), hits: Count, savedMs: Count }), {
    description: 'By the first segment of the path; beyond 100 of them, `other`.',
  }),
};

function statsOf(all: Snapshot): Tree {
  const stats = asJson(FAMILIES, all);
  const segments = [...all.savings.bySegment];
  place(
    stats,
    BY_SEGMENT.path,
    segments.map(([segment, saving]) => ({ segment, ...saving })),
  );
  return stats;
}

const StatsAnswer = Type.Object(jsonSchemaOf(FAMILIES, [BY_SEGMENT]), {
  description: 'Sums over all processes, since the server was started.',
  examples: [statsOf(EXAMPLE_SNAPSHOT)],
});

export function statsRoutes(app: FastifyInstance, deps: RouteDeps): void {
  getAndHead(app, {
    url: '/v1/stats',
    config: { access: 'read', storeWide: true },
    schema: {
      summary: 'Everything that is counted',
      description: 'The series of `/metrics` as JSON. Answered while the store is closed too.',
      tags: ['v1'],
      response: {
        200: StatsAnswer,
        ...errorAnswers(
          'STORE_WIDE_REFUSED',
          'STORE_UNAVAILABLE',
          'OVERLOADED',
          'DEADLINE_EXCEEDED',
        ),
      },
    },
    handler: async (_request, reply) => sendJson(reply, statsOf(await snapshotOf(deps))),
  });
}
