/**
 * How long entries live, asked over HTTP and compared with a model: every way of saying it, every window, a
 * touch, and a clock that also goes back.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Answered, clockedApp, type Fields, START_MS } from './clocked-app.ts';

/** When an entry ends, in milliseconds; Infinity for never. Windows are counted from there. */
interface Life {
  readonly endMs: number;
  readonly whileRevalidateMs: number;
  readonly ifErrorMs: number;
}

interface Write {
  readonly url: string;
  readonly headers: Fields;
  readonly body: string;
  readonly life: Life;
}

/** RFC 9111 section 1.2.2. */
const SECONDS_MAX = 2 ** 31;
const EVER = { endMs: Number.POSITIVE_INFINITY, whileRevalidateMs: 0, ifErrorMs: 0 };
const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Seconds as they are written, and how many milliseconds they are. */
const written = fc.oneof(
  fc.nat({ max: 20 }).map((seconds) => ({ text: `${seconds}`, ms: seconds * 1000 })),
  fc.nat({ max: 20 }).map((seconds) => ({ text: `000${seconds}`, ms: seconds * 1000 })),
  fc.constantFrom('2147483648', '4294967296', '99999999999999999999999').map((text) => ({
    text,
    ms: SECONDS_MAX * 1000,
  })),
);
const maybe = fc.option(written, { nil: undefined });

/** `PUT /v1/entries`: max-age, before Expires, and the windows in any order. */
const putWrites: fc.Arbitrary<Write> = fc
  .tuple(maybe, maybe, maybe, fc.option(fc.integer({ min: -20, max: 20 })), fc.boolean())
  .map(([maxAge, revalidate, error, expires, isReversed]) => {
    const directives = [
      ...(maxAge === undefined ? [] : [`max-age=${maxAge.text}`]),
      ...(revalidate === undefined ? [] : [`Stale-While-Revalidate="${revalidate.text}"`]),
      ...(error === undefined ? [] : [`stale-if-error=${error.text}`]),
      'public',
    ];
    if (isReversed) directives.reverse();
    // A date has whole seconds.
    const dateMs = expires === null ? undefined : START_MS - 500 + expires * 1000;
    const endMs = maxAge === undefined ? dateMs : START_MS + maxAge.ms;
    const windows = { whileRevalidateMs: revalidate?.ms ?? 0, ifErrorMs: error?.ms ?? 0 };
    return {
      url: '/v1/entries/k',
      headers: {
        'cache-control': directives.join(', '),
        ...(dateMs === undefined ? {} : { expires: new Date(dateMs).toUTCString() }),
      },
      body: '1',
      life: endMs === undefined ? EVER : { endMs, ...windows },
    };
  });

/** `POST /cache`: a duration, of which the rest behind its unit is ignored, before a time. */
const cacheWrites: fc.Arbitrary<Write> = fc
  .tuple(
    fc.option(fc.tuple(fc.nat({ max: 30 }), fc.constantFrom('s', 'm', 'h', 'd'))),
    fc.constantFrom('', 's', 'ays', 'onths'),
    fc.option(fc.integer({ min: -30_000, max: 30_000 })),
  )
  .map(([duration, rest, expireInMs]) => {
    const expireMs = expireInMs === null ? null : START_MS + expireInMs;
    const endMs =
      duration !== null
        ? START_MS + duration[0] * UNIT_MS[duration[1]]
        : (expireMs ?? Number.POSITIVE_INFINITY);
    return {
      url: '/cache/k',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        value: 1,
        expire: expireMs === null ? null : expireMs / 1000,
        duration: duration === null ? null : `${duration[0]}${duration[1]}${rest}`,
      }),
      life: { ...EVER, endMs },
    };
  });

/** `POST /pickle`: max-age alone. */
const pickleWrites: fc.Arbitrary<Write> = maybe.map((maxAge) => ({
  url: '/pickle/k',
  headers: maxAge === undefined ? {} : { 'cache-control': `no-cache, max-age=${maxAge.text}` },
  body: '1',
  life: maxAge === undefined ? EVER : { ...EVER, endMs: START_MS + maxAge.ms },
}));

/** Seconds for a touch, or null for ever, and when it comes. */
const touches = fc.option(
  fc.record({ afterMs: fc.nat({ max: 15_000 }), ttl: fc.option(fc.integer({ min: 1, max: 20 })) }),
);

const isFresh = (life: Life, nowMs: number): boolean => nowMs < life.endMs;

/** Whether a read that allows stale answers within `windowMs` finds the entry. */
const isShown = (life: Life, nowMs: number, windowMs: number): boolean =>
  isFresh(life, nowMs) || nowMs < life.endMs + windowMs;

function checkFields({ headers }: Answered, life: Life, nowMs: number): void {
  const age = Math.max(0, Math.floor((nowMs - START_MS) / 1000));
  assert.equal(headers['age'], `${age}`);
  assert.equal(headers['last-modified'], new Date(START_MS).toUTCString());
  if (life.endMs === Number.POSITIVE_INFINITY) {
    assert.equal(headers['cache-control'], undefined);
    assert.equal(headers['cache-status'], 'BigCache; hit');
    return;
  }
  const ttl = Math.floor((life.endMs - nowMs) / 1000);
  assert.equal(headers['cache-status'], `BigCache; hit; ttl=${ttl}`);
  const wholeSeconds = Math.max(0, Math.ceil((life.endMs - START_MS) / 1000));
  const shown = String(headers['cache-control']).split(', ');
  // What is stale is not made fresh again by rounding.
  const maxAge = isFresh(life, nowMs) ? wholeSeconds : Math.min(wholeSeconds, age);
  assert.equal(shown[0], `max-age=${maxAge}`);
  const windows = [
    life.whileRevalidateMs > 0 ? `stale-while-revalidate=${life.whileRevalidateMs / 1000}` : '',
    life.ifErrorMs > 0 ? `stale-if-error=${life.ifErrorMs / 1000}` : '',
  ];
  assert.deepEqual(
    shown.slice(1),
    windows.filter((window) => window !== ''),
  );
}

test('an entry lives as long as was said, in whatever way, and a window longer where asked', async (t) => {
  const { clock, ask } = clockedApp(t);
  const writes = fc.oneof(putWrites, cacheWrites, pickleWrites);
  // Back by up to 5 s too, and far beyond every window but the longest.
  const reads = fc.array(fc.integer({ min: -5000, max: 70_000 }), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(writes, touches, reads, async (write, touch, passed) => {
      clock.nowMs = START_MS;
      await ask('DELETE', '/pickle/k');
      const method = write.url.startsWith('/v1/') ? 'PUT' : 'POST';
      const stored = await ask(method, write.url, write.headers, write.body);
      assert.ok(stored.status < 300, stored.body.toString());
      let { life } = write;
      if (touch !== null) {
        clock.nowMs = START_MS + touch.afterMs;
        const body = JSON.stringify({ ttl: touch.ttl });
        const json = { 'content-type': 'application/json' };
        const { status } = await ask('POST', '/v1/touch/k', json, body);
        assert.equal(
          status,
          isFresh(life, clock.nowMs) ? 204 : 404,
          'only what is fresh is touched',
        );
        if (status === 204) {
          life = touch.ttl === null ? EVER : { ...life, endMs: clock.nowMs + touch.ttl * 1000 };
        }
      }
      for (const ms of passed) {
        clock.nowMs = START_MS + ms;
        const { nowMs } = clock;
        const plain = await ask('GET', '/v1/entries/k');
        assert.equal(plain.status, isShown(life, nowMs, life.whileRevalidateMs) ? 200 : 404);
        const allowing = await ask('GET', '/v1/entries/k', { 'cache-control': 'max-stale' });
        const longest = Math.max(life.whileRevalidateMs, life.ifErrorMs);
        assert.equal(allowing.status, isShown(life, nowMs, longest) ? 200 : 404);
        const original = await ask('GET', '/pickle/k');
        assert.equal(original.status, isFresh(life, nowMs) ? 200 : 404);
        for (const shown of [plain, allowing]) {
          if (shown.status === 200) checkFields(shown, life, nowMs);
        }
      }
    }),
    { numRuns: 150 },
  );
});

test('a duration beyond all dates is refused, and one within them is a time', async (t) => {
  const { ask } = clockedApp(t);
  const unit = fc.constantFrom('s', 'm', 'h', 'd');
  const amount = fc.oneof(
    fc.bigInt({ min: 0n, max: 10n ** 7n }),
    fc.bigInt({ min: 10n ** 16n, max: 10n ** 30n }),
  );
  await fc.assert(
    fc.asyncProperty(amount, unit, async (number, letter) => {
      const body = JSON.stringify({ value: 1, duration: `${number}${letter}` });
      const json = { 'content-type': 'application/json' };
      const stored = await ask('POST', '/cache/k', json, body);
      const endMs = BigInt(START_MS) + number * BigInt(UNIT_MS[letter]);
      assert.equal(stored.status, endMs <= 8_640_000_000_000_000n ? 200 : 422);
      if (stored.status === 422) return;
      const { expire } = JSON.parse(stored.body.toString()) as { expire: number };
      assert.equal(expire, Number(endMs) / 1000);
    }),
    { numRuns: 100 },
  );
});
