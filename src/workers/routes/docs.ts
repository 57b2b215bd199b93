/** `/docs` and `/openapi.json`: the description of all routes, generated from their schemas. */
import fastifySwagger from '@fastify/swagger';
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import { Type } from 'typebox';
import { getAndHead, sendJson } from './declare.ts';
import { errorAnswers } from './schemas.ts';

/** The page loads nothing from elsewhere; Swagger UI sets style attributes. */
const PAGE_CSP = [
  "default-src 'none'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const TAGS = [
  { name: 'entries', description: 'Store, read and remove' },
  { name: 'administration', description: 'The store as a whole' },
  { name: 'statistics', description: 'What was counted' },
  { name: 'health', description: 'Probes for load balancers' },
  { name: 'documentation', description: 'This description' },
];

/** The parameter that a route's wildcard stands for is the one its schema names. */
function documentedUrl(url: string, schema: FastifySchema): string {
  const params = schema.params as { properties?: object } | undefined;
  const [name] = Object.keys(params?.properties ?? {});
  return name === undefined ? url : url.replace('*', `{${name}}`);
}

interface Transformed {
  schema: FastifySchema;
  url: string;
}

/** Adds to a route's schema what fastify itself must not see: the body, which the route reads. */
function documentedRoute(schema: FastifySchema | undefined, route: RouteOptions): Transformed {
  if (schema === undefined) return { schema: { hide: true }, url: route.url };
  const { body, consumes } = route.config ?? {};
  const url = documentedUrl(route.url, schema);
  if (body === undefined) return { schema, url };
  return { schema: { ...schema, body, consumes: [...(consumes ?? [])] }, url };
}

/** Prepares the document. REQUIRES: loaded before any route that it shall describe. */
export async function describeRoutes(app: FastifyInstance, version: string): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'BigCache',
        version,
        description:
          'A cache for slow pages, on disk, over HTTP. Every error answers `{"detail", "code"}`; ' +
          'codes never change, sentences may. Every GET of entries, statistics and probes has a HEAD.',
      },
      tags: TAGS,
    },
    transform: ({ schema, route }) => documentedRoute(schema, route),
  });
}

const DocumentAnswer = Type.Object({}, { description: 'An OpenAPI 3.1 document.' });

export async function docsRoutes(app: FastifyInstance): Promise<void> {
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    staticCSP: PAGE_CSP,
    uiConfig: { deepLinking: true, displayRequestDuration: true, validatorUrl: null },
  });
  getAndHead(app, {
    url: '/openapi.json',
    schema: {
      summary: 'This description, as OpenAPI 3.1',
      tags: ['documentation'],
      response: { 200: DocumentAnswer, ...errorAnswers() },
    },
    handler: (_request, reply) => sendJson(reply, app.swagger()),
  });
}
