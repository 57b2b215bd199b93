/** `/prefix/{prefix}`: many entries removed at once. */
import type { FastifyInstance } from 'fastify';
import { prefixFromTarget } from '../../protocol/key.ts';
import { allowPrefix } from '../access/principal.ts';
import type { RouteDeps } from '../deps.ts';
import { allowSlowAnswer } from '../slow-answers.ts';
import { inStore, sendJson, targetAfter } from './declare.ts';
import { Type } from './json-schema.ts';
import { CHANGE_ERRORS, errorAnswers, PrefixParams } from './schemas.ts';

const MOUNT = '/prefix/';

const DeletedAnswer = Type.Object(
  { message: Type.String(), deleted: Type.Integer({ minimum: 0 }) },
  {
    description: 'Removed for all readers; `deleted` entries could be read before.',
    examples: [{ message: "prefix 'page/': 3 keys deleted.", deleted: 3 }],
  },
);

export function prefixRoutes(app: FastifyInstance, deps: RouteDeps): void {
  app.route({
    method: 'DELETE',
    url: `${MOUNT}*`,
    config: { access: 'write' },
    schema: {
      summary: 'Remove all entries whose key begins with a prefix',
      tags: ['entries'],
      params: PrefixParams,
      response: {
        200: DeletedAnswer,
        ...errorAnswers(
          'PREFIX_EMPTY',
          'KEY_INVALID',
          'KEY_REFUSED',
          'KEY_TOO_LONG',
          'PURGES_PENDING',
          ...CHANGE_ERRORS,
        ),
      },
    },
    handler: async (request, reply) => {
      const prefix = prefixFromTarget(targetAfter(MOUNT, request));
      allowPrefix(request, prefix);
      allowSlowAnswer(request);
      const deleted = await inStore(request, deps.store.deletePrefix(prefix));
      deps.counters.delete += deleted;
      sendJson(reply, { message: `prefix '${prefix}': ${deleted} keys deleted.`, deleted });
    },
  });
}
