/**
 * Conditional requests, asked over HTTP and compared with the steps of RFC 9110 section 13.2.2 as they are
 * written there, for an entry with two forms, each with a tag of its own.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clockedApp, type Fields, START_MS } from './clocked-app.ts';

const PAGE = Buffer.from('<p>a page that is worth compressing</p>\n'.repeat(100));
const HTML = { 'content-type': 'text/html' };
const STORED_SECONDS = Math.floor(START_MS / 1000);

/** A tag as a condition names it: which one, and whether as a weak one. */
interface Named {
  readonly tag: 'plain' | 'encoded' | 'other';
  readonly isWeak: boolean;
}

/** A list of tags, everything, or what is no condition. */
type Condition = readonly Named[] | '*' | 'nonsense';

const named: fc.Arbitrary<Named> = fc.record({
  tag: fc.constantFrom('plain', 'encoded', 'other'),
  isWeak: fc.boolean(),
});
const condition: fc.Arbitrary<Condition | undefined> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  { weight: 4, arbitrary: fc.array(named, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom('*' as const, 'nonsense' as const) },
);
/** Seconds from the time of the entry, or what is no date. */
const date = fc.option(
  fc.oneof(fc.integer({ min: -2, max: 2 }), fc.constant('nonsense' as const)),
  {
    nil: undefined,
  },
);

const asked = fc.record({
  method: fc.constantFrom('GET' as const, 'HEAD' as const),
  ifMatch: condition,
  ifNoneMatch: condition,
  ifModifiedSince: date,
  ifUnmodifiedSince: date,
  ifRange: fc.oneof(fc.constant(undefined), named, date),
  hasRange: fc.boolean(),
  takesGzip: fc.boolean(),
});
type Asked = typeof asked extends fc.Arbitrary<infer One> ? One : never;

type Tags = Readonly<Record<Named['tag'], string>>;

const tagText = (tags: Tags, { tag, isWeak }: Named): string => `${isWeak ? 'W/' : ''}${tags[tag]}`;

function conditionText(tags: Tags, one: Condition): string {
  return typeof one === 'string' ? one : one.map((each) => tagText(tags, each)).join(', ');
}

const dateText = (seconds: number | 'nonsense'): string =>
  seconds === 'nonsense' ? seconds : new Date((STORED_SECONDS + seconds) * 1000).toUTCString();

function fieldsOf(tags: Tags, request: Asked): Fields {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince, ifRange } = request;
  const fields: [string, string | undefined][] = [
    ['if-match', ifMatch && conditionText(tags, ifMatch)],
    ['if-none-match', ifNoneMatch && conditionText(tags, ifNoneMatch)],
    ['if-modified-since', ifModifiedSince === undefined ? undefined : dateText(ifModifiedSince)],
    [
      'if-unmodified-since',
      ifUnmodifiedSince === undefined ? undefined : dateText(ifUnmodifiedSince),
    ],
    [
      'if-range',
      typeof ifRange === 'object'
        ? tagText(tags, ifRange)
        : ifRange === undefined
          ? undefined
          : dateText(ifRange),
    ],
    ['range', request.hasRange ? 'bytes=10-19' : undefined],
    ['accept-encoding', request.takesGzip ? 'gzip' : undefined],
  ];
  const given = fields.filter((field): field is [string, string] => field[1] !== undefined);
  return Object.fromEntries(given);
}

/** Strong comparison: both are strong and the same. Weak comparison does not look at which is weak. */
function matches(one: Condition, comparison: 'strong' | 'weak'): boolean {
  if (typeof one === 'string') return one === '*';
  return one.some(({ tag, isWeak }) => tag !== 'other' && (comparison === 'weak' || !isWeak));
}

type Outcome = 200 | 206 | 304 | 412;

/** The steps of RFC 9110 section 13.2.2 for GET and HEAD. */
function modelled(request: Asked, shown: Named['tag']): Outcome {
  const { ifMatch, ifNoneMatch, ifModifiedSince, ifUnmodifiedSince, ifRange } = request;
  // Steps 1 and 2.
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, 'strong')) return 412;
  } else if (typeof ifUnmodifiedSince === 'number' && ifUnmodifiedSince < 0) return 412;
  // Steps 3 and 4.
  if (ifNoneMatch !== undefined) {
    if (matches(ifNoneMatch, 'weak')) return 304;
  } else if (typeof ifModifiedSince === 'number' && ifModifiedSince >= 0) return 304;
  // Step 5. A date is a weak validator of what can change twice in a second.
  if (request.method !== 'GET' || !request.hasRange) return 200;
  if (ifRange === undefined) return 206;
  return typeof ifRange === 'object' && !ifRange.isWeak && ifRange.tag === shown ? 206 : 200;
}

/** Who goes on with a part of the plain form gets that one, whatever else is accepted. */
function shownForm({ takesGzip, hasRange, ifRange }: Asked): 'plain' | 'encoded' {
  const goesOn = hasRange && typeof ifRange === 'object' && !ifRange.isWeak;
  return takesGzip && !(goesOn && ifRange.tag === 'plain') ? 'encoded' : 'plain';
}

test('reads are answered in the order of the conditions, whichever form is asked for', async (t) => {
  const { ask } = clockedApp(t);
  await ask('PUT', '/v1/entries/k', HTML, PAGE);
  const plain = await ask('GET', '/v1/entries/k');
  const encoded = await ask('GET', '/v1/entries/k', { 'accept-encoding': 'gzip' });
  const forms = { plain: plain.body, encoded: encoded.body };
  const tags: Tags = {
    plain: String(plain.headers['etag']),
    encoded: String(encoded.headers['etag']),
    other: '"other"',
  };
  assert.notEqual(tags.plain, tags.encoded);
  await fc.assert(
    fc.asyncProperty(asked, async (request) => {
      const shown = shownForm(request);
      const answer = await ask(request.method, '/v1/entries/k', fieldsOf(tags, request));
      const status = modelled(request, shown);
      assert.equal(answer.status, status);
      if (status === 412) return;
      assert.equal(answer.headers['etag'], tags[shown]);
      const body = { 200: forms[shown], 206: forms[shown].subarray(10, 20), 304: Buffer.alloc(0) };
      const wanted = request.method === 'HEAD' ? Buffer.alloc(0) : body[status];
      assert.ok(answer.body.equals(wanted), `${answer.body.length} bytes`);
    }),
    { numRuns: 800 },
  );
});

/** What there is when a change is asked for: nothing, or an entry in one of its states. */
const states = fc.constantFrom('absent', 'fresh', 'stale', 'expired');
const changes = fc.record({
  state: states,
  method: fc.constantFrom('PUT' as const, 'DELETE' as const),
  ifMatch: condition,
  ifNoneMatch: condition,
});

test('changes happen where their conditions hold, to what is shown at that time', async (t) => {
  const { ask, clock } = clockedApp(t);
  const stored = await ask('PUT', '/v1/entries/k', HTML, PAGE);
  const shown = await ask('GET', '/v1/entries/k', { 'accept-encoding': 'gzip' });
  const tags: Tags = {
    plain: String(stored.headers['etag']),
    encoded: String(shown.headers['etag']),
    other: '"other"',
  };
  await fc.assert(
    fc.asyncProperty(changes, async ({ state, method, ifMatch, ifNoneMatch }) => {
      clock.nowMs = START_MS;
      await ask('DELETE', '/v1/entries/k');
      const life = { 'cache-control': 'max-age=10, stale-while-revalidate=10' };
      if (state !== 'absent') await ask('PUT', '/v1/entries/k', { ...HTML, ...life }, PAGE);
      clock.nowMs += { absent: 0, fresh: 5000, stale: 15_000, expired: 25_000 }[state];
      const isThere = state === 'fresh' || state === 'stale';
      const fields = {
        ...HTML,
        ...(ifMatch === undefined ? {} : { 'if-match': conditionText(tags, ifMatch) }),
        ...(ifNoneMatch === undefined ? {} : { 'if-none-match': conditionText(tags, ifNoneMatch) }),
      };
      const body = method === 'PUT' ? Buffer.from('new') : undefined;
      const { status } = await ask(method, '/v1/entries/k', fields, body);
      const holds =
        (ifMatch === undefined || (isThere && matches(ifMatch, 'strong'))) &&
        (ifNoneMatch === undefined || !isThere || !matches(ifNoneMatch, 'weak'));
      const done = method === 'PUT' ? (isThere ? 204 : 201) : isThere ? 204 : 404;
      const isReadable = ifMatch !== 'nonsense' && ifNoneMatch !== 'nonsense';
      assert.equal(status, !isReadable ? 400 : holds ? done : 412);
      const after = await ask('GET', '/v1/entries/k');
      const isChanged = status < 300;
      const left = isChanged && method === 'DELETE' ? false : isThere || isChanged;
      assert.equal(after.status, left ? 200 : 404);
      if (left) assert.equal(after.body.equals(PAGE), !isChanged);
    }),
    { numRuns: 300 },
  );
});
