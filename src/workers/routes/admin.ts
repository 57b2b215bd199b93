/**
 * `/clear`, `/close`, `/open`: the store as a whole. The GET forms are the original's; browsers are kept
 * from them, and `--get-admin off` takes them away.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RouteDeps } from '../deps.ts';
import { allowSlowAnswer } from '../slow-answers.ts';
import { inStore, sendJson } from './declare.ts';
import { CHANGE_ERRORS, errorAnswers, messageAnswer } from './schemas.ts';

interface AdminAction {
  readonly url: string;
  readonly summary: string;
  readonly message: string;
  readonly hasGet: boolean;
  run(): Promise<void>;
}

const ADMIN = { access: 'admin', storeWide: true } as const;

function declareAction(app: FastifyInstance, action: AdminAction): void {
  const { url, summary, message } = action;
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    allowSlowAnswer(request);
    await inStore(request, action.run());
    sendJson(reply, { message });
  };
  const answers = { 200: messageAnswer(message) };
  app.route({
    method: 'POST',
    url,
    config: ADMIN,
    schema: {
      summary,
      tags: ['administration'],
      response: {
        ...answers,
        ...errorAnswers('PURGES_PENDING', 'STORE_WIDE_REFUSED', ...CHANGE_ERRORS),
      },
    },
    handler,
  });
  if (!action.hasGet) return;
  app.route({
    method: 'GET',
    url,
    config: { ...ADMIN, changesOnGet: true },
    schema: {
      summary: `${summary} (the original's form)`,
      description: 'Refused to browsers, so not from this page either: use POST.',
      tags: ['administration'],
      response: {
        ...answers,
        ...errorAnswers(
          'PURGES_PENDING',
          'ADMIN_GET_REFUSED',
          'STORE_WIDE_REFUSED',
          ...CHANGE_ERRORS,
        ),
      },
    },
    handler,
  });
}

export function adminRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const { store, config } = deps;
  declareAction(app, {
    url: '/clear',
    summary: 'Remove every entry',
    message: 'All cache deleted.',
    hasGet: config.getAdmin,
    run: () => store.clear(),
  });
  declareAction(app, {
    url: '/close',
    summary: 'Close the store, so that its files can be copied',
    message: 'DB connection closed.',
    hasGet: config.getAdmin,
    run: () => store.close(),
  });
  declareAction(app, {
    url: '/open',
    summary: 'Open the store again',
    message: 'DB connection opened.',
    hasGet: false,
    run: () => store.open(),
  });
}
