/** Ranges, asked over HTTP and compared with a slice of the body (RFC 9110 section 14). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clockedApp } from './clocked-app.ts';

/** What RFC 9110 has a server do that takes one range at a time; undefined for all of the body. */
function modelled(field: string, length: bigint): readonly [bigint, bigint] | 'none' | undefined {
  const [unit = '', ...rest] = field.split('=');
  const range = rest.join('=');
  if (unit.toLowerCase() !== 'bytes' || !/^[0-9]*-[0-9]*$/.test(range)) return undefined;
  const [first = '', last = ''] = range.split('-');
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const suffix = BigInt(last);
    if (suffix === 0n || length === 0n) return 'none';
    return [suffix > length ? 0n : length - suffix, length - 1n];
  }
  const start = BigInt(first);
  if (last !== '' && BigInt(last) < start) return undefined;
  if (start >= length) return 'none';
  return [start, last === '' || BigInt(last) >= length ? length - 1n : BigInt(last)];
}

const number = fc.oneof(
  fc.nat({ max: 40 }).map(String),
  fc.nat({ max: 3000 }).map(String),
  fc.constantFrom('', '00', '007', '2147483648', '9007199254740993', '99999999999999999999999'),
);
const fields = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(number, number).map(([a, b]) => `bytes=${a}-${b}`) },
  { weight: 1, arbitrary: fc.tuple(number, number).map(([a, b]) => `Bytes=${a}-${b}`) },
  { weight: 1, arbitrary: fc.tuple(number, number).map(([a, b]) => `bytes=${a}-${b},5-6`) },
  { weight: 1, arbitrary: fc.tuple(number, number).map(([a, b]) => `pages=${a}-${b}`) },
  {
    weight: 2,
    arbitrary: fc
      .string({ unit: fc.constantFrom(...'bytes=-,0123 .x'), maxLength: 12 })
      .map((odd) => `bytes=x${odd}`),
  },
);
const bodies = fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.uint8Array({ maxLength: 2500 }));

test('a range of a body is that slice of it, one that is not there is refused, and the rest is all', async (t) => {
  const { ask } = clockedApp(t);
  const cases = fc.array(fields, { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(bodies, cases, async (bytes, asked) => {
      const body = Buffer.from(bytes);
      await ask('PUT', '/v1/entries/k', { 'content-type': 'image/png' }, body);
      for (const range of asked) {
        const answer = await ask('GET', '/v1/entries/k', { range });
        const head = await ask('HEAD', '/v1/entries/k', { range });
        assert.deepEqual([head.status, head.headers['content-length']], [200, `${body.length}`]);
        const wanted = modelled(range, BigInt(body.length));
        if (wanted === 'none') {
          assert.equal(answer.status, 416, range);
          assert.equal(answer.headers['content-range'], `bytes */${body.length}`);
          continue;
        }
        const [start, end] = wanted ?? [0n, BigInt(body.length) - 1n];
        assert.equal(answer.status, wanted === undefined ? 200 : 206, range);
        assert.ok(answer.body.equals(body.subarray(Number(start), Number(end) + 1)), range);
        const named = `bytes ${start}-${end}/${body.length}`;
        assert.equal(answer.headers['content-range'], wanted === undefined ? undefined : named);
      }
    }),
    { numRuns: 150 },
  );
});
