/** `/v1/touch/{key}` and `/v1/incr/{key}` as the OpenAPI document shows them. */
import { Type } from '../json-schema.ts';
import { BODY_ERRORS, errorAnswers, KeyParams } from '../schemas.ts';

export const Ttl = Type.Union([Type.Integer({ minimum: 1, maximum: 2 ** 31 }), Type.Null()], {
  description: 'Seconds to live; null for ever.',
});
/** Integers of 64 bits, as exact as they stand in the text: beyond 2^53 most languages need care. */
const int64 = (description: string, more: object = {}) =>
  Type.Integer({ description, format: 'int64', ...more });

export const By = int64('What is added; it may be negative.', { default: 1 });
export const Initial = int64(
  'What a counter begins with that is not there, before `by` is added.',
  {
    default: 0,
  },
);

const SMALL_BODY_ERRORS = [
  'BODY_INVALID',
  'MEMBER_INVALID',
  'MEDIA_TYPE_UNSUPPORTED',
  ...BODY_ERRORS,
] as const;

export const TouchBody = Type.Object(
  { ttl: Ttl },
  { additionalProperties: false, examples: [{ ttl: 3600 }, { ttl: null }] },
);

export const TOUCH_SCHEMA = {
  summary: 'Give an entry another lifetime',
  description:
    'From now on, without sending its body again. Content, ETag, Last-Modified, tags and leases stay; stale ' +
    'windows keep their lengths. Only a fresh entry can be touched: one that is stale, also by a soft ' +
    'purge, wants new content. `GET /cache/{key}` then shows the new `expire`, and `duration` null.',
  tags: ['v1'],
  params: KeyParams,
  response: {
    204: Type.Null({ description: 'Done.' }),
    ...errorAnswers('CACHE_MISS', ...SMALL_BODY_ERRORS),
  },
};

export const IncrBody = Type.Object(
  { by: Type.Optional(By), initial: Type.Optional(Initial), ttl: Type.Optional(Ttl) },
  {
    additionalProperties: false,
    description: 'All members may be left out, and so may the body.',
    examples: [{}, { by: 1, ttl: 60 }, { by: -5, initial: 100 }],
  },
);

export const INCR_SCHEMA = {
  summary: 'Add to a counter',
  description:
    'Atomic across all workers and clients. Where there is no fresh entry, a counter is made of `initial`, ' +
    'and `ttl` is its lifetime; one that is there keeps its own. An entry whose body is an integer as ' +
    'JSON writes it is a counter too, whoever stored it. A counter is read like any entry: its body is ' +
    'its digits, and `GET /cache/{key}` has them as `value`.',
  tags: ['v1'],
  'x-body-optional': true,
  params: KeyParams,
  response: {
    200: Type.Object(
      { value: int64('The new value, exactly.') },
      { description: 'Counted.', examples: [{ value: 42 }] },
    ),
    ...errorAnswers('NOT_AN_INTEGER', 'COUNTER_OVERFLOW', ...SMALL_BODY_ERRORS),
  },
};
