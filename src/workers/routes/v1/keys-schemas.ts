/** `/v1/keys` as the OpenAPI document shows it. */
import { PAGE_ENTRIES_MAX } from '../../../protocol/listing.ts';
import { Type } from '../json-schema.ts';
import { errorAnswers, STORAGE_ERRORS } from '../schemas.ts';

const Count = Type.Integer({ minimum: 0 });

const ITEM = {
  key: 'catalogue/dataset/42?page=2',
  kind: 'raw',
  size: 31744,
  storedAt: 1893456000.25,
  expiresAt: 1893459600.25,
  tags: ['dataset-42'],
  etag: '"GiLBQ5tQ3Rk4Uuvnzw0RRw"',
  costMs: 450,
};

const Item = Type.Object({
  key: Type.String(),
  kind: Type.Union([Type.Literal('json'), Type.Literal('raw')]),
  size: Type.Integer({ minimum: 0, description: 'Bytes of the body.' }),
  storedAt: Type.Number({ description: 'Unix time in seconds.' }),
  expiresAt: Type.Union([Type.Number(), Type.Null()], {
    description: 'Unix time in seconds; null for never. It has passed where the entry is stale.',
  }),
  tags: Type.Array(Type.String()),
  etag: Type.Union([Type.String(), Type.Null()]),
  costMs: Count,
});

export const KEYS_SCHEMA = {
  summary: 'List entries',
  description:
    'In the order of the bytes of their keys, without looking at a body. Entries that are expired or purged ' +
    'are not listed; stale ones are, for as long as they may be shown. No key comes twice in the pages of one listing; ' +
    'one that is written or removed meanwhile may be in them or not. A page looks at some 16,000 entries at ' +
    'most, so it may have fewer items than `limit`, or none: the listing ends where `cursor` is null.',
  tags: ['v1'],
  querystring: Type.Object({
    prefix: Type.Optional(
      Type.String({ description: 'The beginning of the keys, in their final form.' }),
    ),
    cursor: Type.Optional(
      Type.String({ description: 'As the page before gave it, with the same `prefix`.' }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_ENTRIES_MAX, default: 100 })),
  }),
  response: {
    200: Type.Object(
      {
        items: Type.Array(Item, { maxItems: PAGE_ENTRIES_MAX }),
        cursor: Type.Union([Type.String(), Type.Null()]),
      },
      { description: 'One page.', examples: [{ items: [ITEM], cursor: null }] },
    ),
    ...errorAnswers(
      'CURSOR_INVALID',
      'PREFIX_EMPTY',
      'KEY_INVALID',
      'KEY_TOO_LONG',
      'KEY_REFUSED',
      ...STORAGE_ERRORS,
    ),
  },
};
