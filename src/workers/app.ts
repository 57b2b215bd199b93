/**
 * The HTTP application of a worker, put together: fastify with its reading of bodies taken away, the
 * guards, the routes. It opens no port itself, so tests can inject requests.
 */
import Fastify, { type FastifyInstance, type FastifyPluginAsync } from 'fastify';
import type { TlsPair } from '../protocol/access.ts';
import { BigCacheError } from '../protocol/errors.ts';
import { Uploads } from './body/uploads.ts';
import {
  answerAfterEnd,
  answerClientError,
  closeIdleOnClose,
  cutSilentOnClose,
  installExpectations,
} from './connection.ts';
import type { AppDeps, RouteDeps } from './deps.ts';
import { requestIds } from './http/request-id.ts';
import { Inspector } from './json/inspector.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { Traffic } from './metrics/traffic.ts';
import { openSockets } from './open-sockets.ts';
import { installAuthorisation } from './plugins/authorisation.ts';
import { installErrors, sendError } from './plugins/errors.ts';
import { installGuards } from './plugins/guards.ts';
import { installMetering } from './plugins/metering.ts';
import { installMethods } from './plugins/methods.ts';
import { installPipelining } from './plugins/pipelining.ts';
import { installRebalancing } from './plugins/rebalancing.ts';
import { adminRoutes } from './routes/admin.ts';
import { cacheRoutes } from './routes/cache.ts';
import { describeRoutes, docsRoutes } from './routes/docs.ts';
import { healthRoutes } from './routes/health.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { pickleRoutes } from './routes/pickle.ts';
import { prefixRoutes } from './routes/prefix.ts';
import { statRoutes } from './routes/stat.ts';
import { batchRoutes } from './routes/v1/batch.ts';
import { entryRoutes } from './routes/v1/entries.ts';
import { explainRoutes } from './routes/v1/explain.ts';
import { incrRoutes } from './routes/v1/incr.ts';
import { keysRoutes } from './routes/v1/keys.ts';
import { leaseRoutes } from './routes/v1/leases.ts';
import { purgeRoutes } from './routes/v1/purges.ts';
import { statsRoutes } from './routes/v1/stats.ts';
import { touchRoutes } from './routes/v1/touch.ts';
import { cutSlowReaders } from './slow-readers.ts';
import { Surplus } from './surplus.ts';

export type { AppDeps } from './deps.ts';

const NO_QUERY: Readonly<Record<string, never>> = Object.freeze({});

function createFastify(limits: Limits, tls: TlsPair | null): FastifyInstance {
  const http = {
    maxHeaderSize: limits.headBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    connectionsCheckingInterval: limits.connectionsCheckMs,
    // A missing Host is answered by the guards, which say why.
    requireHostHeader: false,
  };
  const https = { ...http, ...tls, handshakeTimeout: limits.headersTimeoutMs };
  return Fastify({
    // The type of `http` is that of both: https.Server has all that is used of http.Server here.
    ...(tls === null ? { http } : ({ https } as object)),
    // No limit on a whole request, which would cut steady uploads: Uploads watches their progress.
    requestTimeout: 0,
    // Cuts whoever takes nothing of an answer, whatever it is; each byte that moves starts it anew.
    connectionTimeout: limits.sendStallMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    exposeHeadRoutes: false,
    // While the server stops, the guards refuse what still comes in, in our own words.
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    genReqId: requestIds(),
    // Targets that the router cannot decode come here, past all hooks.
    frameworkErrors: (_error, request, reply) => {
      sendError(request, reply, new BigCacheError('TARGET_INVALID'), limits.lingerMs);
    },
    routerOptions: {
      ignoreDuplicateSlashes: false,
      ignoreTrailingSlash: false,
      caseSensitive: true,
      maxParamLength: limits.headBytesMax,
      // Queries belong to keys, which are made from the raw target.
      querystringParser: () => NO_QUERY,
    },
  });
}

/** Builds the application. Nothing listens until `listen` is called on what it returns. */
export function buildApp(deps: AppDeps): FastifyInstance {
  const limits: Limits = { ...DEFAULT_LIMITS, ...deps.limits };
  const shared: RouteDeps = {
    ...deps,
    tls: deps.tls ?? null,
    now: deps.now ?? Date.now,
    limits,
    uploads: deps.uploads ?? new Uploads(limits),
    inspector: new Inspector(),
    traffic: deps.traffic ?? new Traffic(),
    surplus: deps.surplus ?? new Surplus(() => 0),
  };
  const app = createFastify(limits, deps.tls ?? null);
  installExpectations(app.server);
  answerAfterEnd(app.server);
  closeIdleOnClose(app);
  const sockets = openSockets(app.server);
  cutSilentOnClose(app, sockets);
  cutSlowReaders(app, sockets, shared);
  app.removeAllContentTypeParsers();
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  installMetering(app, shared);
  installPipelining(app, shared);
  installRebalancing(app, shared);
  installErrors(app, deps.log, limits.lingerMs);
  installMethods(app, limits.lingerMs);
  installGuards(app, shared);
  installAuthorisation(app, deps.tokens);
  const routes: FastifyPluginAsync = async (scope) => {
    await describeRoutes(scope, shared);
    const all = [cacheRoutes, pickleRoutes, prefixRoutes, adminRoutes, statRoutes];
    all.push(entryRoutes, leaseRoutes, statsRoutes);
    all.push(purgeRoutes, explainRoutes);
    all.push(touchRoutes, incrRoutes, keysRoutes, batchRoutes);
    all.push(metricsRoutes);
    for (const declare of all) {
      declare(scope, shared);
    }
    healthRoutes(scope, shared);
    await docsRoutes(scope);
  };
  app.register(routes);
  app.addHook('onClose', () => shared.inspector.close());
  return app;
}
