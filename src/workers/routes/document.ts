/**
 * The OpenAPI document, finished: what is true of every answer, what is answered where no route is, and
 * what the generator cannot say of a body or a header.
 */
import {
  type AnswerHeader,
  type AnswerHeaders,
  NO_STORE,
  REQUEST_ID,
  REQUEST_ID_OF_FAILURE,
} from './answer-headers.ts';
import type { JsonSchema } from './json-schema.ts';
import { openErrorAnswers, UNMATCHED_ERRORS } from './schemas.ts';

interface Header {
  readonly description: string;
  required?: true;
  readonly schema: Record<string, unknown>;
}

interface Reference {
  readonly $ref: string;
}

export interface Response {
  description: string;
  headers?: Record<string, Header | Reference>;
  content?: Record<string, unknown>;
}

export interface Operation {
  requestBody?: { required?: boolean; content: Record<string, unknown> };
  responses: Record<string, Response>;
  'x-body-optional'?: boolean;
}

export interface GeneratedDocument {
  paths?: object | undefined;
  components?: object | undefined;
}

function headerOf({ description, required, ...schema }: AnswerHeader): Header {
  return { description, ...(required === true ? { required } : {}), schema };
}

/** What most answers have stands in one place. */
const COMMON_HEADERS = {
  'no-store': headerOf(NO_STORE),
  'request-id': headerOf(REQUEST_ID),
  'request-id-of-failure': headerOf(REQUEST_ID_OF_FAILURE),
};

const commonHeader = (name: keyof typeof COMMON_HEADERS): Reference => ({
  $ref: `#/components/headers/${name}`,
});

/** The generator leaves `required` in the schema of a header, where it does not belong. */
function setRequired(header: Header | Reference): void {
  if ('$ref' in header || header.schema['required'] !== true) return;
  delete header.schema['required'];
  header.required = true;
}

function finishResponse(status: number, response: Response): void {
  const headers = { ...response.headers };
  for (const header of Object.values(headers)) setRequired(header);
  headers['cache-control'] ??= commonHeader('no-store');
  headers['x-request-id'] = commonHeader(status >= 500 ? 'request-id-of-failure' : 'request-id');
  response.headers = headers;
}

function finishOperation(operation: Operation): void {
  for (const [status, response] of Object.entries(operation.responses)) {
    finishResponse(Number(status), response);
  }
  if (operation['x-body-optional'] === true && operation.requestBody !== undefined) {
    operation.requestBody.required = false;
  }
  delete operation['x-body-optional'];
}

interface ErrorAnswer extends JsonSchema {
  readonly description: string;
  readonly headers: AnswerHeaders;
}

/** What is answered where no route is, by status; a server has no operation to describe it with. */
function unmatchedResponses(): Record<string, Response> {
  const responses: Record<string, Response> = {
    '204': { description: 'To `OPTIONS *`.', headers: {} },
  };
  const answers = openErrorAnswers(...UNMATCHED_ERRORS);
  for (const [status, answer] of Object.entries(answers)) {
    const { headers, ...schema } = answer as ErrorAnswer;
    const described = Object.entries(headers);
    responses[status] = {
      description: schema.description,
      headers: Object.fromEntries(described.map(([name, header]) => [name, headerOf(header)])),
      content: { 'application/json': { schema } },
    };
  }
  return responses;
}

/** Finishes what was generated, in place. */
export function finishDocument(document: GeneratedDocument): void {
  for (const operations of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(operations)) finishOperation(operation as Operation);
  }
  const responses: Record<string, Response> = {};
  for (const [status, response] of Object.entries(unmatchedResponses())) {
    finishResponse(Number(status), response);
    responses[`unmatched-${status}`] = response;
  }
  document.components = { ...document.components, headers: COMMON_HEADERS, responses };
}
