/** The page of `/docs`, which shows the OpenAPI document and lets its reader try the routes. */
import fastifySwaggerUi from '@fastify/swagger-ui';
import type { FastifyPluginAsync, FastifySchema } from 'fastify';
import { MOVED_HEADERS, PAGE_HEADERS, PART_OF_PAGE_HEADERS } from './answer-headers.ts';
import { Type } from './json-schema.ts';
import { openErrorAnswers, RawBody } from './schemas.ts';

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

interface PageRoute {
  readonly documentedAs: string;
  readonly schema: FastifySchema;
}

/** What the document says of the page, and in one place of all its files. */
const PAGE_ROUTES: Readonly<Record<string, PageRoute>> = {
  '/docs': {
    documentedAs: '/docs',
    schema: {
      summary: 'This description, to read and to try',
      tags: ['documentation'],
      response: {
        200: {
          description: 'The page.',
          headers: PAGE_HEADERS,
          content: { 'text/html': { schema: Type.String() } },
        },
        ...openErrorAnswers(),
      },
    },
  },
  '/docs/json': {
    documentedAs: '/docs/{file}',
    schema: {
      summary: 'A file of the page',
      tags: ['documentation'],
      params: Type.Object({ file: Type.String({ examples: ['static/index.css', 'yaml'] }) }),
      response: {
        200: {
          description: 'The file.',
          headers: PAGE_HEADERS,
          content: { '*/*': { schema: RawBody } },
        },
        206: {
          description: 'The bytes that Range asked for.',
          headers: PART_OF_PAGE_HEADERS,
          content: { '*/*': { schema: RawBody } },
        },
        302: Type.Null({ description: 'It is the page.', headers: MOVED_HEADERS }),
        304: Type.Null({ description: 'The client has the file.', headers: PAGE_HEADERS }),
        ...openErrorAnswers('NOT_FOUND'),
      },
    },
  },
};

/** The page and its files. */
export const docsPage: FastifyPluginAsync = async (scope) => {
  // The page shows how to send a token, so it comes without one; nothing of the store is in it.
  scope.addHook('onRoute', (route) => {
    const described = PAGE_ROUTES[route.url];
    const { documentedAs } = described ?? {};
    if (described !== undefined) route.schema = described.schema;
    route.config = {
      ...route.config,
      access: 'open',
      ...(documentedAs === undefined ? {} : { documentedAs }),
    };
  });
  scope.addHook('onSend', (_request, reply, _payload, done) => {
    if (![200, 206, 304].includes(reply.statusCode)) reply.header('cache-control', 'no-store');
    done();
  });
  await scope.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    staticCSP: PAGE_CSP,
    uiConfig: { deepLinking: true, displayRequestDuration: true, validatorUrl: null },
  });
};
