/**
 * What is answered where no route is: 405 with Allow (RFC 9110 section 15.5.6) on a path that has
 * routes for other methods, else 404.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { BigCacheError } from '../../protocol/errors.ts';
import { sendError } from './errors.ts';

/** Methods that fastify would parse a body for; here the routes read bodies themselves. */
const METHODS_WITH_BODY = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'];

interface Declared {
  /** The whole path, or, where the route ends in a wildcard, what comes before it. */
  readonly path: string;
  readonly isMount: boolean;
  readonly methods: Set<string>;
}

class RouteTable {
  readonly #routes = new Map<string, Declared>();

  add(url: string, methods: readonly string[]): void {
    const isMount = url.endsWith('*');
    const path = isMount ? url.slice(0, -1) : url;
    const declared = this.#routes.get(url) ?? { path, isMount, methods: new Set() };
    for (const method of methods) declared.methods.add(method);
    this.#routes.set(url, declared);
  }

  /** The methods that the path of `target` has; none for a path that is not known. */
  allowed(target: string): string[] {
    const path = target.split('?', 1)[0] ?? '';
    const methods = new Set<string>();
    for (const route of this.#routes.values()) {
      if (route.isMount ? path.startsWith(route.path) : path === route.path) {
        for (const method of route.methods) methods.add(method);
      }
    }
    return [...methods].sort();
  }
}

function isServerWideOptions(request: FastifyRequest): boolean {
  return request.method === 'OPTIONS' && request.raw.url === '*';
}

/** Answers for paths and methods without a route. REQUIRES: called before any route is declared. */
export function installMethods(app: FastifyInstance, lingerMs: number): void {
  for (const method of METHODS_WITH_BODY) {
    app.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  }
  const routes = new RouteTable();
  app.addHook('onRoute', ({ url, method }) => routes.add(url, [method].flat()));
  app.setNotFoundHandler((request, reply) => {
    if (isServerWideOptions(request)) {
      return reply.code(204).header('cache-control', 'no-store').send();
    }
    const allowed = routes.allowed(request.raw.url ?? '');
    // A route that has this very method, as the one for files has, found nothing under its path.
    const isOtherMethod = allowed.length > 0 && !allowed.includes(request.method);
    if (isOtherMethod) reply.header('allow', allowed.join(', '));
    const code = isOtherMethod ? 'METHOD_NOT_ALLOWED' : 'NOT_FOUND';
    sendError(request, reply, new BigCacheError(code), lingerMs);
    return reply;
  });
}
