/**
 * Requests made from the document alone: for each operation such as it describes, such as it nearly
 * describes, and such as nobody should send.
 */
import fc from 'fast-check';
import { pack } from 'msgpackr';
import { type ApiDocument, mountOf, type Operation, type Parameter } from './document.ts';
import { bodyValueFor, oddBytes, oddText, spoiltValueFor, text, valueFor } from './values.ts';

export interface GeneratedRequest {
  readonly method: string;
  /** As it goes on the wire, in latin1; `{etag}` and the like stand for what an answer has given. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer | undefined;
}

type Fields = readonly (readonly [name: string, value: string])[];

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'];

/** What the fields are worth sending with; the document says of most that they are text. */
const FIELD_VALUES: Readonly<Record<string, readonly string[]>> = {
  'accept-encoding': ['gzip', 'br, gzip;q=0.5', '*', 'identity', 'gzip;q=0', ';;q=', 'gzip;q=2'],
  'cache-control': [
    'max-age=60',
    'max-age=0, stale-while-revalidate=60',
    'max-age=0, stale-if-error=60',
    'max-age=99999999999999999999',
    'max-stale',
    'max-age=-1',
    'max-age="7"',
    'stale-while-revalidate=x',
    ',,=,',
  ],
  'cache-lease-token': ['{cache-lease-token}', 'none', '', 'x'.repeat(300)],
  'cache-tag': ['a', 'shoes, product-7', ',', 'é', 'x'.repeat(2000), 'a b'],
  'content-encoding': ['gzip', 'identity', 'br', 'zstd', 'gzip, br', ''],
  expires: ['Wed, 01 Jan 2031 00:00:00 GMT', '0', 'soon', 'Wed, 01 Jan 1931 00:00:00 GMT'],
  'if-match': ['{etag}', '*', '"none"', 'W/{etag}', 'nonsense', '', '"a" "b"'],
  'if-none-match': ['{etag}', '*', '"none"', '"none", W/{etag}', 'nonsense', ','],
  'if-range': ['{etag}', '"none"', 'Wed, 01 Jan 2031 00:00:00 GMT', 'nonsense'],
  prefer: ['return=minimal', 'wait=0', 'wait=99999999999', 'wait=-1', 'respond-async, wait=0'],
  range: [
    'bytes=0-0',
    'bytes=-1',
    'bytes=5-',
    'bytes=9999999-',
    'bytes=0-0,2-3',
    'bytes=2-1',
    'x=1',
  ],
};

/** Fields that no operation describes and that a client, a browser or an attacker sends. */
const FOREIGN_FIELDS: Fields = [
  ['host', 'evil.example'],
  ['host', 'localhost:1'],
  ['host', ''],
  ['origin', 'http://evil.example'],
  ['origin', 'null'],
  ['sec-fetch-site', 'cross-site'],
  ['user-agent', 'Mozilla/5.0'],
  ['referer', 'http://localhost/docs'],
  ['authorization', 'Bearer nonsense'],
  ['authorization', 'Basic %%%'],
  ['transfer-encoding', 'gzip'],
  ['transfer-encoding', 'gzip, chunked'],
  ['expect', 'bananas'],
  ['content-range', 'bytes 0-1/2'],
  ['content-encoding', 'compress'],
  ['if-modified-since', 'Wed, 01 Jan 2031 00:00:00 GMT'],
  ['if-unmodified-since', 'Wed, 01 Jan 1980 00:00:00 GMT'],
  ['x-request-id', 'one'],
  ['x-request-id', '"}{\u00ff'],
  ['x-forwarded-host', 'evil.example'],
  ['x-http-method-override', 'DELETE'],
  ['cookie', `a=${'b'.repeat(4000)}`],
  ['accept', 'application/xml'],
];

const ODD_TYPES = [
  '',
  'text/plain',
  'application/json; charset=utf-16',
  'application/vnd.api+json',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'nonsense',
  `text/${'x'.repeat(300)}`,
];

/** Ends of targets that stand for no key, for another one, or for more than there may be. */
const ODD_ENDS = [
  '',
  '/',
  '//',
  '%2f',
  '../stat',
  '%2e%2e/%2e%2e/x',
  'a%00',
  'a%0d%0aX:1',
  '%ff%fe',
  '%zz',
  '%',
  'a%3Fx=1',
  'a?x=%c3%zz',
  'a?',
  '?',
  'a;b=1',
  '%F0%9F%90%98',
  '%ED%A0%80',
  'k'.repeat(8192),
  'k'.repeat(8193),
  '%41'.repeat(4000),
  'k'.repeat(17_000),
];

/** Text as a component of a target; what is no text of Unicode is left out of it. */
const escaped = (one: string): string => encodeURIComponent(Buffer.from(one).toString());

function endFor({ name, example }: Parameter, operation: Operation): fc.Arbitrary<string> {
  const shown = typeof example === 'string' ? [example] : [];
  const known = name === 'id' ? '{id}' : endsLease(operation) ? '{leased}' : undefined;
  return fc.oneof(
    { weight: 6, arbitrary: known === undefined ? text.map(encodeURI) : fc.constant(known) },
    { weight: 2, arbitrary: fc.constantFrom('a', ...shown) },
    { weight: 1, arbitrary: fc.constantFrom(...ODD_ENDS) },
    { weight: 1, arbitrary: oddText.map(escaped) },
  );
}

/** Whether an operation is for who holds the lease of a key; such a key is not found by chance. */
const endsLease = ({ parameters = [] }: Operation): boolean =>
  parameters.some(({ name, required }) => name === 'cache-lease-token' && required === true);

function queryFor(parameters: readonly Parameter[]): fc.Arbitrary<string> {
  const parts = parameters.map(({ name, schema }) =>
    fc.oneof(
      { weight: 5, arbitrary: fc.constant('') },
      { weight: 4, arbitrary: valueFor(schema).map((value) => `${name}=${escaped(`${value}`)}`) },
      { weight: 2, arbitrary: fc.constant(`${name}={${name}}`) },
      { weight: 1, arbitrary: oddText.map((value) => `${name}=${escaped(value)}`) },
      { weight: 1, arbitrary: fc.constantFrom(name, `${name}=`, `${name}=1&${name}=2`, 'x=1') },
    ),
  );
  return fc.tuple(...parts).map((all) => {
    const given = all.filter((part) => part !== '');
    return given.length === 0 ? '' : `?${given.join('&')}`;
  });
}

function targetFor(path: string, operation: Operation): fc.Arbitrary<string> {
  const parameters = operation.parameters ?? [];
  const end = parameters.find((one) => one.in === 'path');
  const mount = mountOf(path) ?? path;
  const query = queryFor(parameters.filter((one) => one.in === 'query'));
  return fc
    .tuple(end === undefined ? fc.constant('') : endFor(end, operation), query)
    .map(([rest, asked]) => mount + rest + asked);
}

/** A field in bytes that a message can carry (RFC 9110 section 5.5). */
const fieldOf = (value: unknown): string => `${value}`.replaceAll(/[^\t -~\u0080-\u00ff]/g, '');

function fieldsFor(parameters: readonly Parameter[]): fc.Arbitrary<Fields> {
  const described = parameters.map(({ name, schema, required }) => {
    const values = FIELD_VALUES[name];
    const good = values === undefined ? valueFor(schema) : fc.constantFrom<unknown>(...values);
    const value = fc.oneof({ weight: 6, arbitrary: good }, { weight: 1, arbitrary: oddText });
    const field = value.map((one) => [[name, fieldOf(one)]] as Fields);
    const none = fc.constant<Fields>([]);
    return fc.oneof(
      { weight: required === true ? 9 : 1, arbitrary: field },
      { weight: 3, arbitrary: none },
    );
  });
  const foreign = fc.oneof(
    { weight: 5, arbitrary: fc.constant<Fields>([]) },
    { weight: 3, arbitrary: fc.constantFrom(...FOREIGN_FIELDS).map((field) => [field]) },
    { weight: 1, arbitrary: fc.constant(TOO_MANY) },
  );
  return fc.tuple(foreign, ...described).map((all) => all.flat());
}

const TOO_MANY: Fields = Array.from({ length: 300 }, (_, nth) => [`x-${nth}`, 'y']);

interface Body {
  readonly type: string | undefined;
  readonly bytes: Buffer | undefined;
}

const NO_BODY: Body = { type: undefined, bytes: undefined };

function written(type: string, value: unknown): Buffer {
  if (type === 'application/msgpack') return Buffer.from(pack(value));
  const isText = typeof value === 'string' && type !== 'application/json';
  return isText ? Buffer.from(value, 'latin1') : Buffer.from(JSON.stringify(value) ?? '');
}

function bodyFor({ requestBody }: Operation): fc.Arbitrary<Body> {
  const odd = fc.tuple(fc.constantFrom(...ODD_TYPES), oddBytes);
  const oddBody = odd.map(([type, bytes]): Body => ({ type, bytes }));
  const none = fc.constant(NO_BODY);
  if (requestBody === undefined) {
    return fc.oneof({ weight: 9, arbitrary: none }, { weight: 1, arbitrary: oddBody });
  }
  const typed = Object.entries(requestBody.content).map(([range, media]) => {
    const type = range === '*/*' ? 'text/html' : range;
    const value = fc.oneof(
      { weight: 5, arbitrary: bodyValueFor(media) },
      { weight: 3, arbitrary: spoiltValueFor(media) },
    );
    const bytes = fc.oneof(
      { weight: 8, arbitrary: value.map((one) => written(type, one)) },
      { weight: 1, arbitrary: oddBytes },
    );
    return bytes.map((one): Body => ({ type, bytes: one }));
  });
  return fc.oneof(
    { weight: 12, arbitrary: fc.oneof(...typed) },
    { weight: 2, arbitrary: oddBody },
    { weight: 1, arbitrary: none },
  );
}

/** Requests for one operation, and some for what is beside it. */
function requestFor(
  path: string,
  method: string,
  operation: Operation,
): fc.Arbitrary<GeneratedRequest> {
  const headers = (operation.parameters ?? []).filter((one) => one.in === 'header');
  const own = fc.constant(method.toUpperCase());
  const methods = fc.oneof(
    { weight: 12, arbitrary: own },
    { weight: 1, arbitrary: fc.constantFrom(...METHODS) },
  );
  return fc
    .tuple(methods, targetFor(path, operation), fieldsFor(headers), bodyFor(operation))
    .map(([asked, target, fields, { type, bytes }]) => ({
      method: asked,
      target,
      headers: type === undefined ? fields : [...fields, ['content-type', type] as const],
      body: bytes,
    }));
}

/** What empties or closes the store comes rarely, else nothing else would find anything. */
function weightOf({ tags = [] }: Operation): number {
  if (tags.includes('administration')) return 1;
  return tags.includes('entries') || tags.includes('v1') ? 10 : 2;
}

/**
 * `count` requests in no order, to all operations or those that are named. The same seed makes the same
 * ones.
 */
export function requestsFrom(
  { paths }: ApiDocument,
  seed: number,
  count: number,
  only?: ReadonlySet<string>,
): GeneratedRequest[] {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => only?.has(`${method.toUpperCase()} ${path}`) ?? true)
      .map(([method, operation]) => ({
        weight: weightOf(operation),
        arbitrary: requestFor(path, method, operation),
      })),
  );
  return fc.sample(fc.oneof(...operations), { seed, numRuns: count });
}
