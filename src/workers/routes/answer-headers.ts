/**
 * The headers of answers as the OpenAPI document shows them. `Cache-Control: no-store` and `X-Request-Id`
 * are put with every answer when the document is finished; what frames a message (RFC 9112) is left out.
 */

/** A header of an answer: the schema of its text, and whether every such answer has it. */
export interface AnswerHeader {
  readonly type: 'string';
  readonly description: string;
  readonly required?: true;
  readonly pattern?: string;
  readonly enum?: readonly string[];
}

export type AnswerHeaders = Readonly<Record<string, AnswerHeader>>;

type More = Partial<AnswerHeader>;

const may = (description: string, more: More = {}): AnswerHeader => ({
  type: 'string',
  description,
  ...more,
});
const always = (description: string, more: More = {}): AnswerHeader =>
  may(description, { ...more, required: true });

/** Which fields an answer has depends on its status alone: RFC 9110, 6750 and 6585 ask for these. */
const BY_STATUS: ReadonlyMap<number, AnswerHeaders> = new Map([
  [401, { 'www-authenticate': always('`Bearer` and `Basic`, each in a field of its own.') }],
  [405, { allow: always('The methods that there are.') }],
  [415, { 'accept-encoding': may('The encodings that a body may have, where another was sent.') }],
  [416, { 'content-range': always('How long the body is.', { pattern: '^bytes \\*/\\d+$' }) }],
  [503, { 'retry-after': always('Seconds.', { pattern: '^\\d+$' }) }],
]);

/** The headers that errors of this status have. */
export function errorHeaders(status: number): AnswerHeaders {
  return BY_STATUS.get(status) ?? {};
}

/** `Cache-Control` of every answer that has no say of its own on caching. */
export const NO_STORE = always('No cache keeps this answer.', { enum: ['no-store'] });

/** `X-Request-Id`. */
export const REQUEST_ID = may('The name of the request, where it was sent.');
export const REQUEST_ID_OF_FAILURE = always('The name of the request, sent or given here.');

const LEASE_TOKEN = may('The caller has the lease, and makes the entry.');
const WAITED = may('`wait=N` where the request was held.', { pattern: '^wait=\\d+$' });

/** Of the 404 of a read. */
export const MISS_HEADERS: AnswerHeaders = {
  'cache-lease-token': LEASE_TOKEN,
  'preference-applied': WAITED,
  'retry-after': may('Seconds until the lease ends that another holds.', { pattern: '^\\d+$' }),
};

/** Of the 404 of `GET /v1/entries/{key}`. */
export const MISS_STATUS_HEADERS: AnswerHeaders = {
  ...MISS_HEADERS,
  'cache-status': always('Why it is a miss (RFC 9211).', {
    pattern: '^BigCache; detail=[a-z-]+$',
  }),
};

const ENCODED: AnswerHeaders = {
  'content-encoding': may('Where the body is sent as it is stored.', { enum: ['gzip'] }),
};

/** Of entries of the original's face. */
export const ENCODED_HEADERS: AnswerHeaders = {
  ...ENCODED,
  vary: may('Where the entry is stored compressed.', { enum: ['Accept-Encoding'] }),
};

/** Of bodies that are sent as what they were stored as. */
export const RAW_BODY_HEADERS: AnswerHeaders = {
  'x-content-type-options': always('No browser takes it for something else.', {
    enum: ['nosniff'],
  }),
  'content-security-policy': may('As `--body-csp` says.'),
};

const ETAG = may('Strong, of the form that is sent.', { pattern: '^"[\\w-]+"$' });

/** Of `GET /v1/entries/{key}` with 304. */
export const VALIDATED_HEADERS: AnswerHeaders = {
  etag: ETAG,
  'last-modified': always('When it was stored.', { pattern: ' GMT$' }),
  age: always('Seconds since then.', { pattern: '^\\d+$' }),
  vary: always('What it depends on.', { enum: ['Accept-Encoding'] }),
  'cache-status': always('A hit, and the seconds that it is still fresh (RFC 9211).', {
    pattern: '^BigCache; hit(; ttl=-?\\d+)?$',
  }),
  'cache-control': may('The whole lifetime and its windows; `no-store` with a lease token.', {
    pattern: '^(no-store|max-age=\\d+(, stale-while-revalidate=\\d+)?(, stale-if-error=\\d+)?)$',
  }),
  'cache-lease-token': LEASE_TOKEN,
  'preference-applied': WAITED,
};

/** Of `GET /v1/entries/{key}` with 200. */
export const HIT_HEADERS: AnswerHeaders = {
  ...VALIDATED_HEADERS,
  ...ENCODED,
  ...RAW_BODY_HEADERS,
  'accept-ranges': always('Ranges are those of bytes.', { enum: ['bytes'] }),
};

const CONTENT_RANGE = always('Which part of how much.', {
  pattern: '^bytes \\d+-\\d+/\\d+$',
});

/** Of `GET /v1/entries/{key}` with 206. */
export const PART_HEADERS: AnswerHeaders = {
  ...HIT_HEADERS,
  'content-range': CONTENT_RANGE,
};

/** Of `PUT /v1/entries/{key}`. */
export const STORED_HEADERS: AnswerHeaders = {
  etag: always('Of the plain content.', { pattern: '^"[\\w-]+"$' }),
};

/** Of a write that was asked to keep its answer short. */
export const MINIMAL_HEADERS: AnswerHeaders = {
  'preference-applied': always('What was asked for.', { enum: ['return=minimal'] }),
};

/** Of the page of the documentation and its files. */
export const PAGE_HEADERS: AnswerHeaders = {
  'content-security-policy': always('Nothing is loaded from elsewhere.'),
  'cache-control': may('To be asked for again each time.', { enum: ['public, max-age=0'] }),
  'accept-ranges': may('Ranges are those of bytes.', { enum: ['bytes'] }),
  'last-modified': may('When the file was made.', { pattern: ' GMT$' }),
  etag: may('Of the file.', { pattern: '^W/"[\\w-]+"$' }),
};

export const PART_OF_PAGE_HEADERS: AnswerHeaders = {
  ...PAGE_HEADERS,
  'content-range': CONTENT_RANGE,
};

/** Of the file that is the page. */
export const MOVED_HEADERS: AnswerHeaders = {
  location: always('The page.', { enum: ['/docs/'] }),
  'content-security-policy': always('Nothing is loaded from elsewhere.'),
};

/** Of `POST /v1/purge`. */
export const ACCEPTED_HEADERS: AnswerHeaders = {
  location: always('`/v1/purges/{id}`', { pattern: '^/v1/purges/[\\w-]+$' }),
};
