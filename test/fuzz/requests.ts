/** Requests as they should be, of every route, for the fuzzer to spoil. Their keys lie below `f/`. */
import { gzipSync } from 'node:zlib';
import { pack } from 'msgpackr';

/** Below this every request of the first kind stays, and its token may do no more. */
export const FUZZED_PREFIX = 'f/';
/** A token for what lies below the prefix, and one for everything. */
export const KEYED_SECRET = 'keyed-secret';
export const WHOLE_SECRET = 'whole-secret';

function bytes(
  secret: string,
  line: string,
  fields: readonly string[] = [],
  body?: string | Buffer,
): Buffer {
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  const bearer = `Authorization: Bearer ${secret}`;
  const lines = [`${line} HTTP/1.1`, 'Host: localhost', bearer, ...fields, ...length];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), Buffer.from(body ?? '')]);
}

const json = ['Content-Type: application/json'];
const page = `<p>${'a page that is worth its compression. '.repeat(40)}</p>`;
const batch = {
  items: [
    { op: 'put', key: 'f/b1', body: 'text', ttl: 60, tags: ['t'] },
    { op: 'get', key: 'f/b1' },
    { op: 'incr', key: 'f/n', by: 2, initial: 1 },
    { op: 'touch', key: 'f/b1', ttl: 9 },
    { op: 'delete', key: 'f/none', ifMatch: '"x"' },
  ],
};

const chunked = (fields: readonly string[], ...chunks: string[]): string =>
  [
    ...fields,
    'Transfer-Encoding: chunked',
    '',
    ...chunks.flatMap((chunk) => [chunk.length.toString(16), chunk]),
    '0',
    '',
    '',
  ].join('\r\n');

/** Requests that touch nothing outside the prefix. */
export function keyedRequests(secret = KEYED_SECRET): Buffer[] {
  const ask = (line: string, fields?: readonly string[], body?: string | Buffer) =>
    bytes(secret, line, fields, body);
  const bearer = `Authorization: Bearer ${secret}`;
  return [
    ask('GET /cache/f/a'),
    ask('POST /cache/f/a?page=1', json, '{"value": {"a": [1, 2.0, "é"]}, "duration": "28ds"}'),
    ask('POST /cache/f/b', [...json, 'Prefer: return=minimal'], '{"value":1,"expire":1900000000}'),
    ask('DELETE /cache/f/a'),
    ask('HEAD /cache/f/b', ['Cache-Lease: 3']),
    ask('POST /pickle/f/p%20q', ['Cache-Control: max-age=60'], Buffer.from([0x80, 4, 0, 255])),
    ask('GET /pickle/f/p%20q', ['Accept-Encoding: gzip, br;q=0.5']),
    ask('DELETE /pickle/f/p%20q'),
    ask('DELETE /prefix/f/x/'),
    ask('GET /stat'),
    ask('GET /stat/count'),
    ask(
      'PUT /v1/entries/f/e',
      ['Content-Type: text/html', 'Cache-Tag: t, u', 'Cache-Control: max-age=1, stale-if-error=9'],
      page,
    ),
    ask('PUT /v1/entries/f/z', ['Content-Encoding: gzip', 'If-None-Match: *'], gzipSync(page)),
    ask('GET /v1/entries/f/e', ['Range: bytes=2-9', 'If-Range: "x"', 'Cache-Control: max-stale']),
    ask('GET /v1/entries/f/e', ['If-None-Match: "a", W/"b"', 'Cache-Lease: 5', 'Prefer: wait=0']),
    ask('HEAD /v1/entries/f/z', ['Accept-Encoding: gzip']),
    ask('DELETE /v1/entries/f/e', ['If-Match: "0123"']),
    ask('DELETE /v1/leases/f/e', ['Cache-Lease-Token: 0123456789abcdef']),
    ask('POST /v1/touch/f/e', json, '{"ttl": 60}'),
    ask('POST /v1/incr/f/n', json, '{"by": 3, "initial": -9007199254740993, "ttl": 60}'),
    ask('GET /v1/keys?prefix=f%2F&limit=3&cursor='),
    ask('POST /v1/batch', json, JSON.stringify(batch)),
    ask('POST /v1/batch', ['Content-Type: application/msgpack'], Buffer.from(pack(batch))),
    ask('POST /v1/purge', json, '{"prefix": "f/y/", "soft": true, "dryRun": false}'),
    ask('GET /v1/purges/12'),
    ask('GET /v1/explain/f/e'),
    ask('GET /v1/stats'),
    ask('GET /metrics'),
    ask('GET /healthz'),
    ask('GET /readyz'),
    ask('GET /openapi.json'),
    ask('GET /docs'),
    ask('GET /docs/static/swagger-ui.css', ['Range: bytes=0-99']),
    ask('OPTIONS *'),
    ask('POST /pickle/f/e100', ['Expect: 100-continue'], 'expected'),
    Buffer.from(
      `POST /pickle/f/c HTTP/1.1\r\nHost: localhost\r\n${chunked([bearer], 'one', 'and another')}`,
    ),
    Buffer.from(
      `PUT /v1/entries/f/c HTTP/1.1\r\nHost: [::1]:80\r\n${chunked([bearer], page, page)}`,
    ),
  ];
}

/** Requests that concern the store as a whole, and those of every other route. */
export function wholeRequests(): Buffer[] {
  const ask = (line: string, body?: string) =>
    bytes(WHOLE_SECRET, line, body === undefined ? [] : json, body);
  return [
    ...keyedRequests(WHOLE_SECRET),
    ask('POST /clear'),
    ask('GET /clear'),
    ask('POST /close'),
    ask('GET /close'),
    ask('POST /open'),
    ask('POST /open'),
    ask('POST /v1/purge', '{"all": true, "soft": true}'),
    ask('POST /v1/purge', '{"tag": "t", "dryRun": true}'),
    ask('DELETE /prefix/f'),
  ];
}
