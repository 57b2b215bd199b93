/** Ranges of bytes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { contentRange, parseRange } from '../../../src/workers/http/range.ts';

const length = fc.integer({ min: 0, max: 10_000 });
const position = fc.integer({ min: 0, max: 20_000 });

describe('a range', () => {
  it('is what a slice of the bytes is', () => {
    fc.assert(
      fc.property(length, position, fc.option(position), (byteLength, first, last) => {
        const range = parseRange(`bytes=${first}-${last ?? ''}`, byteLength);
        if (last !== null && last < first) assert.equal(range, undefined);
        else if (first >= byteLength) assert.equal(range, 'unsatisfiable');
        else {
          const end = Math.min(last === null ? byteLength : last + 1, byteLength);
          assert.deepEqual(range, { start: first, end });
        }
      }),
    );
  });

  it('from the end has at most all bytes, and none of nothing', () => {
    fc.assert(
      fc.property(length, position, (byteLength, last) => {
        const range = parseRange(`bytes=-${last}`, byteLength);
        if (last === 0 || byteLength === 0) assert.equal(range, 'unsatisfiable');
        else assert.deepEqual(range, { start: Math.max(0, byteLength - last), end: byteLength });
      }),
    );
  });

  it('is passed over where there are several, in another unit, or none that can be read', () => {
    for (const field of [
      undefined,
      '',
      'bytes=-',
      'bytes=0-1,3-4',
      'lines=0-1',
      'bytes=a-b',
      'bytes 0-1',
    ]) {
      assert.equal(parseRange(field, 10), undefined, field);
    }
  });

  it('is named in the answer', () => {
    assert.equal(contentRange({ start: 2, end: 5 }, 10), 'bytes 2-4/10');
    assert.equal(contentRange(undefined, 10), 'bytes */10');
  });
});
