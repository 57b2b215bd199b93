/**
 * What is checked before a route runs. Guards hang on how a route is declared, its methods and its
 * `config`, never on the text of a path.
 */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import { BigCacheError } from '../../protocol/errors.ts';
import type { RouteDeps } from '../deps.ts';
import { hostRule, originRule } from './hosts.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers whatever the Host, and while the server stops: a probe. */
    probe?: boolean;
    /** Changes state on GET: not for browsers, which follow links and fetch ahead. */
    changesOnGet?: boolean;
  }
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** RFC 9112 section 6.3: where chunked is not the last coding, the end of the body is not known. */
function codingError(coding: string): BigCacheError | undefined {
  if (/^chunked$/i.test(coding)) return undefined;
  const code = /(?:^|[\s,])chunked$/i.test(coding) ? 'NOT_IMPLEMENTED' : 'REQUEST_INVALID';
  return new BigCacheError(code);
}

/**
 * What Node's parser lets through although RFC 9112 does not: two Hosts (section 3.2), two
 * Authorizations, of which a proxy in front may have looked at the other one, versions other than
 * 1.x, transfer codings other than chunked (section 6.1), targets that are no path.
 */
function framingError(raw: IncomingMessage, headerCountMax: number): BigCacheError | undefined {
  const { rawHeaders, headers, url } = raw;
  if (rawHeaders.length > 2 * headerCountMax) {
    return new BigCacheError(
      'HEADERS_TOO_LARGE',
      `A request has at most ${headerCountMax} headers.`,
    );
  }
  let hosts = 0;
  let authorizations = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
    else if (name?.length === 13 && name.toLowerCase() === 'authorization') authorizations += 1;
  }
  if (raw.httpVersionMajor !== 1) {
    return new BigCacheError('REQUEST_INVALID', 'Only HTTP/1.0 and HTTP/1.1 are spoken here.');
  }
  if (hosts > 1 || (hosts === 0 && raw.httpVersionMinor !== 0)) {
    return new BigCacheError('REQUEST_INVALID', 'A request has one Host header.');
  }
  if (authorizations > 1) {
    return new BigCacheError('REQUEST_INVALID', 'A request has at most one Authorization header.');
  }
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding !== 'chunked') {
    const error = codingError(coding);
    if (error !== undefined) return error;
  }
  const isPath = url?.charCodeAt(0) === 0x2f || (url === '*' && raw.method === 'OPTIONS');
  return isPath ? undefined : new BigCacheError('TARGET_INVALID', 'The target must be a path.');
}

/** Checks every request; synchronous, and an error is made only where one is answered. */
function requestGuard(deps: RouteDeps): onRequestHookHandler {
  const isHostServed = hostRule(deps.config);
  const { headerCountMax } = deps.limits;
  return (request, _reply, done) => {
    const isProbe = request.routeOptions.config.probe === true;
    if (!isProbe && deps.isDraining()) {
      done(new BigCacheError('SHUTTING_DOWN'));
      return;
    }
    const error = framingError(request.raw, headerCountMax);
    if (error !== undefined) {
      done(error);
      return;
    }
    const { host } = request.raw.headers;
    if (host !== undefined && !isProbe && !isHostServed(host)) {
      done(new BigCacheError('HOST_NOT_ALLOWED'));
      return;
    }
    done();
  };
}

/** Browsers send at least one of these; Node's fetch sends Sec-Fetch-Mode, which says nothing. */
function isBrowser(request: FastifyRequest): boolean {
  const { headers } = request;
  return (
    headers.origin !== undefined ||
    headers.referer !== undefined ||
    headers['sec-fetch-site'] !== undefined ||
    headers['sec-purpose'] !== undefined ||
    headers['purpose'] !== undefined ||
    headers['user-agent']?.startsWith('Mozilla/') === true
  );
}

const refuseBrowsers: onRequestHookHandler = (request, _reply, done) => {
  if (!isBrowser(request)) {
    done();
    return;
  }
  const twin = `POST ${request.routeOptions.url ?? ''}`;
  done(new BigCacheError('ADMIN_GET_REFUSED', `Browsers may not do this with GET; send ${twin}.`));
};

/** Puts the guards on `app`. REQUIRES: called before any route is declared. */
export function installGuards(app: FastifyInstance, deps: RouteDeps): void {
  const isOriginAllowed = originRule(deps.config);
  const refuseForeignPages: onRequestHookHandler = (request, _reply, done) => {
    done(isOriginAllowed(request.headers) ? undefined : new BigCacheError('ORIGIN_REFUSED'));
  };
  app.addHook('onRequest', requestGuard(deps));
  app.addHook('onRoute', (route) => {
    const guards = [route.onRequest ?? []].flat();
    if ([route.method].flat().some((method) => !SAFE_METHODS.has(method))) {
      guards.push(refuseForeignPages);
    }
    if (route.config?.changesOnGet === true) guards.push(refuseBrowsers);
    route.onRequest = guards;
  });
}
