/**
 * Who may use which route. It hangs on what the route declares in its `config`, never on the text of a
 * path; a route that declares nothing cannot be served.
 */
import type { FastifyInstance, onRequestHookHandler, RouteOptions } from 'fastify';
import type { Scope } from '../../protocol/access.ts';
import { BigCacheError } from '../../protocol/errors.ts';
import { ANYBODY, scopeRefused } from '../access/principal.ts';
import type { Tokens } from '../access/tokens.ts';

/**
 * The scope that a token needs for a route; `open` for a route that needs no token, `any` for one that every
 * token may use and that asks itself who may do what of it.
 */
export type RouteAccess = Scope | 'open' | 'any';

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess;
    /** It concerns all keys, so a token with a keyPrefix is refused. */
    storeWide?: boolean;
  }
  interface FastifyInstance {
    /** Every route with what it declares. */
    declaredRoutes: readonly RouteOptions[];
  }
}

/** The guard of one route. What it declares is read late: hooks of its plugin may still declare it. */
function guardOf(route: RouteOptions, tokens: Tokens): onRequestHookHandler {
  return (request, _reply, done) => {
    const { access, storeWide } = route.config ?? {};
    if (access === 'open') {
      done();
      return;
    }
    if (!tokens.areNeeded) {
      request.principal = ANYBODY;
      done();
      return;
    }
    const { authorization } = request.raw.headers;
    if (authorization === undefined) {
      done(new BigCacheError('TOKEN_REQUIRED'));
      return;
    }
    const principal = tokens.whoSent(authorization);
    if (principal === undefined) {
      done(new BigCacheError('TOKEN_REFUSED'));
      return;
    }
    if (access === undefined || (access !== 'any' && !principal.scopes.has(access))) {
      done(scopeRefused(access ?? 'admin'));
      return;
    }
    if (storeWide === true && principal.keyPrefix !== '') {
      done(new BigCacheError('STORE_WIDE_REFUSED'));
      return;
    }
    request.principal = principal;
    done();
  };
}

/** Guards all routes of `app`. REQUIRES: called before any route is declared, after the other guards. */
export function installAuthorisation(app: FastifyInstance, tokens: Tokens): void {
  const routes: RouteOptions[] = [];
  app.decorate('declaredRoutes', routes);
  app.decorateRequest('principal', null);
  app.addHook('onRoute', (route) => {
    routes.push(route);
    route.onRequest = [...[route.onRequest ?? []].flat(), guardOf(route, tokens)];
  });
  app.addHook('onReady', (done) => {
    const silent = routes.find(({ config }) => config?.access === undefined);
    if (silent === undefined) done();
    else done(new Error(`INVARIANT: ${silent.method} ${silent.url} says who may use it`));
  });
}
