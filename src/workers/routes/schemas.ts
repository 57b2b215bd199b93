/**
 * Pieces of schema that several routes share. Schemas describe the routes in the OpenAPI document; the
 * routes check their input themselves, closer than a schema could, and serialise nothing.
 */
import { BigCacheError, ERRORS, type ErrorCode } from '../../protocol/errors.ts';
import { LEASE_SECONDS_MAX } from '../http/lease-fields.ts';
import { type AnswerHeaders, errorHeaders, MINIMAL_HEADERS } from './answer-headers.ts';
import { type JsonSchema, Type } from './json-schema.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The request body as the document shows it; the route reads the body itself. */
    body?: JsonSchema;
    /** The media types of that body. */
    consumes?: readonly string[];
  }
}

/** Errors that any route may answer. */
const ANYWHERE: readonly ErrorCode[] = [
  'TARGET_INVALID',
  'REQUEST_INVALID',
  'EXPECTATION_FAILED',
  'HOST_NOT_ALLOWED',
  'HEADERS_TOO_LARGE',
  'INTERNAL',
  'NOT_IMPLEMENTED',
  'SHUTTING_DOWN',
];
/** Errors of paths and methods that no route has, and of what never became a request. */
export const UNMATCHED_ERRORS: readonly ErrorCode[] = [
  'NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'REQUEST_TIMEOUT',
  'BODY_TOO_LARGE',
];
/** Errors of every route that needs a token, where tokens are needed. */
const WITH_TOKEN: readonly ErrorCode[] = ['TOKEN_REQUIRED', 'TOKEN_REFUSED', 'SCOPE_REFUSED'];
/** Errors that every route which needs the store may answer. */
const STORAGE: readonly ErrorCode[] = [
  'STORE_CLOSED',
  'STORE_UNAVAILABLE',
  'OVERLOADED',
  'DEADLINE_EXCEEDED',
  'STORE_FAILED',
];
const WRITING: readonly ErrorCode[] = [...STORAGE, 'DISK_FULL', 'ORIGIN_REFUSED'];

const KEY_ERRORS: readonly ErrorCode[] = [
  'KEY_EMPTY',
  'KEY_INVALID',
  'KEY_TOO_LONG',
  'KEY_REFUSED',
];

/** Errors of routes that read an entry, write one, and receive a body. */
export const READ_ERRORS: readonly ErrorCode[] = [...STORAGE, ...KEY_ERRORS];
export const WRITE_ERRORS: readonly ErrorCode[] = [...WRITING, ...KEY_ERRORS];
export const BODY_ERRORS: readonly ErrorCode[] = [
  ...WRITE_ERRORS,
  'REQUEST_TIMEOUT',
  'BODY_TOO_LARGE',
];
/** Errors of routes that change the store as a whole, or ask about it. */
export const CHANGE_ERRORS: readonly ErrorCode[] = WRITING;
export const STORAGE_ERRORS: readonly ErrorCode[] = STORAGE;

/** `openErrorAnswers` for a route that needs a token, where tokens are needed. */
export function errorAnswers(...codes: ErrorCode[]): Record<number, JsonSchema> {
  return openErrorAnswers(...codes, ...WITH_TOKEN);
}

/** The answers for `codes` and for what any route may answer, one per status. */
export function openErrorAnswers(...codes: ErrorCode[]): Record<number, JsonSchema> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set([...codes, ...ANYWHERE])) {
    const { status } = ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const answers: Record<number, JsonSchema> = {};
  for (const [status, same] of byStatus) {
    answers[status] = Type.Object(
      {
        detail: Type.String({ description: 'One sentence that says what to do. It may change.' }),
        code: Type.String({ enum: same }),
      },
      {
        description: same.map((code) => `\`${code}\`: ${ERRORS[code].detail}`).join('\n\n'),
        examples: same.map((code) => new BigCacheError(code).toBody()),
        headers: errorHeaders(status),
      },
    );
  }
  return answers;
}

/** `errorAnswers` of a read: its 404 is a miss, which has these headers. */
export function readErrorAnswers(
  missHeaders: AnswerHeaders,
  ...codes: ErrorCode[]
): Record<number, JsonSchema> {
  const answers = errorAnswers(...codes, 'CACHE_MISS', 'CACHE_EXPIRED', ...READ_ERRORS);
  return { ...answers, 404: { ...answers[404], headers: missHeaders } };
}

/** A body of any bytes. */
export const RawBody = Type.String({ format: 'binary' });

/** The path parameter `{key}`. */
export const KeyParams = Type.Object({
  key: Type.String({
    description:
      'The rest of the path, percent-decoded once, slashes at both ends removed; a query belongs ' +
      'to the key. 1 to 8192 bytes.',
    examples: ['catalogue/dataset/42?page=2'],
  }),
});

/** The path parameter `{prefix}`. */
export const PrefixParams = Type.Object({
  prefix: Type.String({
    description: 'The beginning of keys. A slash at its end counts: `a/` never matches `ab`.',
    examples: ['catalogue/dataset/'],
  }),
});

/** An answer that consists of one sentence. */
export function messageAnswer(message: string): JsonSchema {
  return Type.Object({ message: Type.String() }, { description: 'Done.', examples: [{ message }] });
}

/** Without examples, which the documentation page would send along. */
export const PreferHeader = Type.Object({
  prefer: Type.Optional(
    Type.String({ description: '`return=minimal` asks for 204 without a body (RFC 7240).' }),
  ),
});

/** Of reads that ask for a lease. Without examples, which the documentation page would send along. */
export const LeaseHeaders = Type.Object({
  'cache-lease': Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: LEASE_SECONDS_MAX,
      description:
        'Seconds. On a miss, and on a stale entry, one caller gets a ' +
        '`Cache-Lease-Token` and makes the entry; the others are told when to ask again.',
    }),
  ),
  prefer: Type.Optional(
    Type.String({
      description:
        'With `Cache-Lease`, `wait=10` holds the request for at most so many seconds, 60 at most, ' +
        'until the entry is there or the lease is free (RFC 7240).',
    }),
  ),
});

/** Of reads of the original's face. */
export const ReadHeaders = Type.Object({
  'accept-encoding': Type.Optional(
    Type.String({ description: '`gzip` takes what is stored compressed, as one gzip body.' }),
  ),
  ...LeaseHeaders.properties,
});

/** Of writes that bring what a lease was given for. */
export const LeaseTokenHeader = Type.Object({
  'cache-lease-token': Type.Optional(
    Type.String({
      description:
        'The token that the miss gave. Refused with `LEASE_LOST` where the key was written, deleted ' +
        'or purged since, however long ago it was given.',
    }),
  ),
});

/** The answer to a write that `Prefer: return=minimal` asked to keep short. */
export const MinimalAnswer = Type.Null({
  description: 'Stored; `Prefer: return=minimal` was sent.',
  headers: MINIMAL_HEADERS,
});
