/** `/v1/purge`, `/v1/purges/{id}` and `/v1/explain/{key}` as the OpenAPI document shows them. */
import { REASONS, STATES } from '../../../protocol/explanation.ts';
import { ACCEPTED_HEADERS } from '../answer-headers.ts';
import { Type } from '../json-schema.ts';
import {
  BODY_ERRORS,
  CHANGE_ERRORS,
  errorAnswers,
  KeyParams,
  READ_ERRORS,
  STORAGE_ERRORS,
} from '../schemas.ts';

const Count = Type.Integer({ minimum: 0 });
const Time = Type.Number({ description: 'Unix time in seconds.' });
const TimeOrNull = Type.Union([Type.Number(), Type.Null()], {
  description: 'Unix time in seconds, or null.',
});

const Selector = Type.Object(
  {
    prefix: Type.Optional(
      Type.String({ description: 'The beginning of keys, in their final form.' }),
    ),
    tag: Type.Optional(Type.String({ description: 'One of the names in `Cache-Tag`.' })),
    all: Type.Optional(Type.Literal(true, { description: 'Everything.' })),
  },
  { description: 'Exactly one of the three.' },
);

export const PurgeBody = Type.Object(
  {
    ...Selector.properties,
    soft: Type.Optional(
      Type.Boolean({ description: 'Entries become stale, for as long as they would have lived.' }),
    ),
    dryRun: Type.Optional(Type.Boolean({ description: 'Nothing changes; it is only counted.' })),
  },
  {
    additionalProperties: false,
    description: 'Exactly one of `prefix`, `tag` and `all`.',
    examples: [
      { tag: 'product-7' },
      { prefix: 'catalogue/', soft: true },
      { all: true, dryRun: true },
    ],
  },
);

const ACCEPTED = { id: '1-2a' };
const REPORT = {
  id: '1-2a',
  selector: { tag: 'product-7' },
  soft: false,
  dryRun: false,
  state: 'done',
  matched: 1200,
  removed: 1210,
  bytes: 7340032,
  costMs: 96000,
  startedAt: 1893456000.5,
  finishedAt: 1893456002.25,
};

export const PURGE_SCHEMA = {
  summary: 'Purge entries by prefix, by tag, or all of them',
  description:
    'In effect for every reader when it is answered, whatever it matches; the space is given back in the ' +
    'background. Entries that are stored later are not touched.',
  tags: ['v1'],
  response: {
    202: Type.Object(
      { id: Type.String() },
      {
        description: 'In effect. `Location` leads to its report.',
        headers: ACCEPTED_HEADERS,
        examples: [ACCEPTED],
      },
    ),
    ...errorAnswers(
      'PURGE_INVALID',
      'BODY_INVALID',
      'PREFIX_EMPTY',
      'KEY_INVALID',
      'KEY_TOO_LONG',
      'MEDIA_TYPE_UNSUPPORTED',
      'PURGES_PENDING',
      'STORE_WIDE_REFUSED',
      ...CHANGE_ERRORS,
      ...BODY_ERRORS.filter((code) => code !== 'KEY_EMPTY'),
    ),
  },
};

export const REPORT_SCHEMA = {
  summary: 'What became of a purge',
  description:
    'The newest 1,000 that have ended are kept, and 100 dry runs. What a restart interrupts is ' +
    'finished after it, and its figures then count from that restart on.',
  tags: ['v1'],
  params: Type.Object({
    id: Type.String({ description: 'As POST /v1/purge answered it.', examples: ['1-2a'] }),
  }),
  response: {
    200: Type.Object(
      {
        id: Type.String(),
        selector: Selector,
        soft: Type.Boolean(),
        dryRun: Type.Boolean(),
        state: Type.Union([Type.Literal('running'), Type.Literal('done')]),
        matched: Type.Integer({
          minimum: 0,
          description:
            'Entries it took that could be read when it began, as far as they are counted.',
        }),
        removed: Type.Integer({
          minimum: 0,
          description:
            'Entries removed for it, those included that had expired before; 0 when soft.',
        }),
        bytes: Type.Integer({ minimum: 0, description: 'Stored bytes of those that matched.' }),
        costMs: Type.Integer({ minimum: 0, description: 'What those had cost to make.' }),
        startedAt: Time,
        finishedAt: TimeOrNull,
      },
      { description: 'The figures grow until `state` is `done`.', examples: [REPORT] },
    ),
    ...errorAnswers('PURGE_UNKNOWN', 'KEY_REFUSED', 'STORE_WIDE_REFUSED', ...STORAGE_ERRORS),
  },
};

const EXPLAINED = {
  key: 'page/1',
  state: 'miss',
  reason: 'purged',
  at: 1893456000.5,
  by: { purge: '1-2a', selector: { tag: 'product-7' }, soft: false },
  rememberedSince: 1893450000,
};

export const EXPLAIN_SCHEMA = {
  summary: 'Why a key hits or misses',
  description:
    'What a plain GET of the entry would be answered with, why, since when and by which purge. Of some ' +
    '131,000 entries that are gone it is remembered why, since the server was started.',
  tags: ['v1'],
  params: KeyParams,
  response: {
    200: Type.Object(
      {
        key: Type.String(),
        state: Type.Union(STATES.map((state) => Type.Literal(state))),
        reason: Type.Union(REASONS.map((reason) => Type.Literal(reason))),
        at: TimeOrNull,
        by: Type.Optional(
          Type.Object({
            purge: Type.String(),
            selector: Type.Optional(Selector),
            soft: Type.Optional(Type.Boolean()),
          }),
        ),
        entry: Type.Optional(
          Type.Object({
            storedAt: Time,
            expiresAt: TimeOrNull,
            staleWhileRevalidateUntil: TimeOrNull,
            staleIfErrorUntil: TimeOrNull,
            size: Count,
            costMs: Count,
            tags: Type.Array(Type.String()),
          }),
        ),
        rememberedSince: Time,
      },
      {
        description:
          'Without `entry`, nothing is left of one. `never-seen` says no more than that nothing is known ' +
          'of it since `rememberedSince`.',
        examples: [EXPLAINED],
      },
    ),
    ...errorAnswers(...READ_ERRORS),
  },
};
