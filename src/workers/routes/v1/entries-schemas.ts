/** `/v1/entries/{key}` as the OpenAPI document shows it. */
import {
  HIT_HEADERS,
  MISS_STATUS_HEADERS,
  PART_HEADERS,
  STORED_HEADERS,
  VALIDATED_HEADERS,
} from '../answer-headers.ts';
import { Type } from '../json-schema.ts';
import {
  BODY_ERRORS,
  errorAnswers,
  KeyParams,
  LeaseHeaders,
  LeaseTokenHeader,
  RawBody,
  readErrorAnswers,
  WRITE_ERRORS,
} from '../schemas.ts';

/** Any type: it is the one that the entry was stored with. */
const BODY = { content: { '*/*': { schema: RawBody } } };
const header = (description: string) => Type.Optional(Type.String({ description }));

export const GET_SCHEMA = {
  summary: 'Read an entry',
  description:
    'With its Content-Type, ETag, Age and Cache-Control. Conditional requests and one range of bytes ' +
    'are answered as RFC 9110 says. What is stored compressed is sent so, with `Content-Encoding: gzip` ' +
    'and an ETag of its own, where Accept-Encoding takes it; ranges are those of the form that is ' +
    'sent. Stale entries are shown within `stale-while-revalidate`, and ' +
    'within `stale-if-error` to requests with `Cache-Control: max-stale`.',
  tags: ['v1'],
  params: KeyParams,
  headers: Type.Object({
    'if-none-match': header('Entity tags of content that the client has: 304 where it is current.'),
    range: header('One range of bytes of the form that is sent: `bytes=0-1023`.'),
    'if-range': header('The ETag of the form of which the client has a part.'),
    'accept-encoding': header('`gzip` takes what is stored compressed as it is stored.'),
    'cache-control': header('`max-stale` allows entries within `stale-if-error`.'),
    ...LeaseHeaders.properties,
  }),
  response: {
    200: { description: 'A hit.', headers: HIT_HEADERS, ...BODY },
    206: { description: 'The bytes that Range asked for.', headers: PART_HEADERS, ...BODY },
    304: Type.Null({
      description: 'The client has the current content.',
      headers: VALIDATED_HEADERS,
    }),
    ...readErrorAnswers(MISS_STATUS_HEADERS, 'PRECONDITION_FAILED', 'RANGE_UNSATISFIABLE'),
  },
};

export const PUT_SCHEMA = {
  summary: 'Store an entry',
  description:
    'The answer has the ETag of the plain content. A body in gzip, deflate or brotli is decoded, and ' +
    'its plain length counts. What is stored is compressed where it pays.',
  tags: ['v1'],
  params: KeyParams,
  headers: Type.Object({
    'cache-control': header(
      '`max-age`, `stale-while-revalidate` and `stale-if-error` in seconds; for ever without.',
    ),
    expires: header('A date, where there is no `max-age`.'),
    'cache-tag': header('Names by which entries are purged together: `product-7, shoes`.'),
    'content-encoding': header('`gzip`, `deflate` or `br`; none where the body is plain.'),
    'if-none-match': header('`*` stores only where there is no entry.'),
    'if-match': header('An entity tag stores only over that content.'),
    ...LeaseTokenHeader.properties,
  }),
  response: {
    201: Type.Null({
      description: 'Stored; there was no entry before.',
      headers: STORED_HEADERS,
    }),
    204: Type.Null({ description: 'Stored in place of another.', headers: STORED_HEADERS }),
    ...errorAnswers(
      'LEASE_LOST',
      'PRECONDITION_FAILED',
      'MEDIA_TYPE_UNSUPPORTED',
      'CONTENT_ENCODING_INVALID',
      ...BODY_ERRORS,
    ),
  },
};

export const DELETE_SCHEMA = {
  summary: 'Remove an entry',
  tags: ['v1'],
  params: KeyParams,
  headers: Type.Object({ 'if-match': header('An entity tag removes only that content.') }),
  response: {
    204: Type.Null({ description: 'Removed.' }),
    ...errorAnswers('DELETE_MISS', 'PRECONDITION_FAILED', ...WRITE_ERRORS),
  },
};
