/** `/docs` and `/openapi.json`: the description of all routes, generated from their schemas. */
import fastifySwagger from '@fastify/swagger';
import type { FastifyContextConfig, FastifyInstance, FastifySchema, RouteOptions } from 'fastify';
import type { RouteDeps } from '../deps.ts';
import { sendBytes } from '../send.ts';
import { JSON_TYPE } from '../wrapper.ts';
import { getAndHead } from './declare.ts';
import { docsPage } from './docs-page.ts';
import { finishDocument } from './document.ts';
import { Type } from './json-schema.ts';
import { openErrorAnswers } from './schemas.ts';

const TAGS = [
  { name: 'entries', description: 'Store, read and remove' },
  { name: 'administration', description: 'The store as a whole' },
  { name: 'statistics', description: 'What was counted' },
  { name: 'health', description: 'Probes for load balancers' },
  { name: 'documentation', description: 'This description' },
];

/** The parameter that a route's wildcard stands for is the one its schema names. */
export function documentedUrl(url: string, schema: FastifySchema): string {
  const params = schema.params as { properties?: object } | undefined;
  const [name] = Object.keys(params?.properties ?? {});
  return name === undefined ? url : url.replace('*', `{${name}}`);
}

/** The two ways in which a token is sent; the page offers both under Authorize. */
const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: 'A token of the token file.' },
  basic: { type: 'http', scheme: 'basic', description: 'Any user; the token is the password.' },
} as const;
const WITH_TOKEN = [{ bearer: [] }, { basic: [] }];

/** What a route says about tokens, as the document shows it. */
function documentedAccess(
  schema: FastifySchema,
  { access, storeWide }: FastifyContextConfig,
  areTokensNeeded: boolean,
): FastifySchema {
  if (access === undefined || access === 'open') return { ...schema, security: [] };
  const scope =
    access === 'any' ? 'any scope, and for each item its own' : `the scope \`${access}\``;
  const need =
    `Where tokens are needed: one with ${scope}` +
    (storeWide === true ? ' and without a keyPrefix.' : '.');
  return {
    ...schema,
    description: schema.description === undefined ? need : `${schema.description}\n\n${need}`,
    // An empty requirement among others means that none need be met.
    security: areTokensNeeded ? WITH_TOKEN : [{}, ...WITH_TOKEN],
  };
}

interface Transformed {
  schema: FastifySchema;
  url: string;
}

/** Adds to a route's schema what fastify itself must not see: the body, which the route reads. */
function documentedRoute(
  declared: FastifySchema | undefined,
  route: RouteOptions,
  areTokensNeeded: boolean,
): Transformed {
  if (declared === undefined) return { schema: { hide: true }, url: route.url };
  const config = route.config ?? {};
  const { body, consumes, documentedAs } = config;
  const url = documentedAs ?? documentedUrl(route.url, declared);
  const schema = documentedAccess(declared, config, areTokensNeeded);
  if (body === undefined) return { schema, url };
  return { schema: { ...schema, body, consumes: [...(consumes ?? [])] }, url };
}

/** Prepares the document. REQUIRES: loaded before any route that it shall describe. */
export async function describeRoutes(
  app: FastifyInstance,
  { version, tokens }: Pick<RouteDeps, 'version' | 'tokens'>,
): Promise<void> {
  const { areNeeded } = tokens;
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'BigCache',
        version,
        description:
          'A cache for slow pages, on disk, over HTTP. Every error answers `{"detail", "code"}`; ' +
          'codes never change, sentences may. Every GET of entries, statistics and probes has a HEAD. ' +
          'A request may name itself with `X-Request-Id`: the answer has it too, as has every 5xx, ' +
          'and the log.',
      },
      tags: TAGS,
      components: { securitySchemes: SECURITY_SCHEMES },
    },
    transform: ({ schema, route }) => documentedRoute(schema, route, areNeeded),
    transformObject: (generated) => {
      if ('swaggerObject' in generated) return generated.swaggerObject;
      finishDocument(generated.openapiObject);
      return generated.openapiObject;
    },
  });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The path under which the document has the route, where it is another one. */
    documentedAs?: string;
  }
}

const DocumentAnswer = Type.Object({}, { description: 'An OpenAPI 3.1 document.' });

export async function docsRoutes(app: FastifyInstance): Promise<void> {
  await app.register(docsPage);
  let document: Buffer | undefined;
  getAndHead(app, {
    url: '/openapi.json',
    config: { access: 'open' },
    schema: {
      summary: 'This description, as OpenAPI 3.1',
      tags: ['documentation'],
      response: { 200: DocumentAnswer, ...openErrorAnswers() },
    },
    handler: (_request, reply) => {
      // Routes do not change once requests come; making the text of all of them takes milliseconds.
      document ??= Buffer.from(JSON.stringify(app.swagger()));
      sendBytes(reply, 200, { 'content-type': JSON_TYPE, 'cache-control': 'no-store' }, document);
    },
  });
}
