/** `/v1/batch` as the OpenAPI document shows it. */
import { Type } from '../json-schema.ts';
import { BODY_ERRORS, errorAnswers } from '../schemas.ts';
import { By, Initial, Ttl } from './counters-schemas.ts';

export const ITEMS_MAX = 1000;
export const MSGPACK_TYPE = 'application/msgpack';

const text = (description: string) => Type.Optional(Type.String({ description }));

const Item = Type.Object(
  {
    op: Type.Union(['get', 'put', 'delete', 'touch', 'incr'].map((op) => Type.Literal(op))),
    key: Type.String({ description: 'In its final form: nothing is decoded.' }),
    body: text('Of a put: the body as text; in msgpack also as bytes.'),
    bodyBase64: text('Of a put: the body in base64.'),
    contentType: text('Of a put.'),
    ttl: Type.Optional(Ttl),
    tags: Type.Optional(Type.Array(Type.String(), { description: 'Of a put.' })),
    ifMatch: text('Of get, put and delete, as the header If-Match.'),
    ifNoneMatch: text('Of get, put and delete, as the header If-None-Match.'),
    by: Type.Optional(By),
    initial: Type.Optional(Initial),
  },
  { additionalProperties: false },
);

export const BatchBody = Type.Object(
  { items: Type.Array(Item, { maxItems: ITEMS_MAX }) },
  {
    additionalProperties: false,
    examples: [
      {
        items: [
          { op: 'get', key: 'page/1' },
          { op: 'put', key: 'page/2', body: '<html>', contentType: 'text/html', ttl: 3600 },
          { op: 'incr', key: 'visits/2030-01-01', ttl: 172800 },
        ],
      },
    ],
  },
);

const Answer = Type.Object({
  status: Type.Integer({ description: 'What the route of this operation would answer with.' }),
  code: text('Of the error.'),
  detail: text('Of the error.'),
  etag: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  contentType: text('Of a get.'),
  ttl: Type.Optional(
    Type.Union([Type.Integer(), Type.Null()], {
      description:
        'Of a get: seconds that it is still fresh, negative when it is stale; null for ever.',
    }),
  ),
  tags: Type.Optional(Type.Array(Type.String())),
  body: text(
    'Of a get: the body, where it is valid UTF-8 and JSON makes it at most twice as long; in msgpack ' +
      'always, as bytes.',
  ),
  bodyBase64: text('Of a get: the body, where it is not shown as text.'),
  value: Type.Optional(Type.Integer({ format: 'int64', description: 'Of an incr.' })),
});

const Answers = Type.Object({ items: Type.Array(Answer) });

const ANSWERED = {
  items: [
    {
      status: 200,
      etag: '"GiLBQ5tQ3Rk4Uuvnzw0RRw"',
      contentType: 'text/html',
      ttl: 1800,
      tags: [],
      body: '<html>',
    },
    { status: 201, etag: '"GiLBQ5tQ3Rk4Uuvnzw0RRw"' },
    { status: 409, code: 'NOT_AN_INTEGER', detail: 'The entry is no integer of 64 bits.' },
  ],
};

export const BATCH_SCHEMA = {
  summary: 'Do many things in one request',
  description:
    `At most ${ITEMS_MAX} items, answered in their order in the form in which they were sent, JSON or ` +
    'msgpack. Each is authorised, validated and done on its own, so one that is refused harms no other; items ' +
    'of one key take effect in their order. It is no transaction: others may come in between. The bodies in ' +
    'one answer have at most 16 MiB together; a get beyond that is answered with `BATCH_FULL`.',
  tags: ['v1'],
  response: {
    200: {
      description: 'What came of each.',
      content: {
        'application/json': { schema: Answers, example: ANSWERED },
        [MSGPACK_TYPE]: { schema: Answers },
      },
    },
    ...errorAnswers(
      'BODY_INVALID',
      'MEDIA_TYPE_UNSUPPORTED',
      ...BODY_ERRORS.filter((code) => !code.startsWith('KEY_')),
    ),
  },
};
