/** Fields that are read from a record without decoding it, against the decoder. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeRecord, type EntryRecord, encodeRecord, Kind } from '../../src/protocol/record.ts';
import { costMsOf, hashTag, hasTagHash, tagsOf } from '../../src/protocol/record-fields.ts';

const count = fc.oneof(fc.nat(300), fc.nat(70_000), fc.maxSafeNat());
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({ unit: fc.constantFrom('a', '/', '한', '\u{1F418}'), maxLength }),
    fc.constant('x'.repeat(maxLength)),
  );
const bytes = fc
  .oneof(fc.nat(20), fc.nat(300), fc.constant(60_000))
  .map((length) => Buffer.alloc(length, 0xc1));

const record: fc.Arbitrary<EntryRecord> = fc
  .record({
    plainBytes: count,
    checksums: bytes,
    etag: fc.option(bytes),
    contentType: fc.option(text(300)),
    contentEncoding: fc.option(text(40)),
    tags: fc.array(text(40), { maxLength: 40 }),
    costMs: count,
    expire: fc.option(fc.double({ noNaN: true })),
    duration: fc.option(text(20)),
  })
  .map((fields) => ({
    ...fields,
    kind: Kind.raw,
    version: 1,
    storedAtMs: 1,
    expiresAtMs: 0,
    staleWhileRevalidateUntilMs: 0,
    staleIfErrorUntilMs: 0,
    pointer: { segment: 1, offset: 1 },
    storedBytes: 1,
  }));

describe('tags and cost of a record', () => {
  it('are those that the decoder finds', () => {
    fc.assert(
      fc.property(record, (one) => {
        const encoded = encodeRecord(Buffer.from('key'), one);
        const decoded = decodeRecord(Buffer.from('key'), encoded);
        assert.deepEqual(tagsOf(encoded), decoded?.tags);
        assert.equal(costMsOf(encoded), decoded?.costMs);
        for (const tag of one.tags) assert.ok(hasTagHash(encoded, new Set([hashTag(tag)])), tag);
        assert.equal(hasTagHash(encoded, new Set([hashTag('none of them')])), false);
      }),
    );
  });

  it('are none, or some, of a record that is damaged or cut, and never an error', () => {
    const damage = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.nat() });
    fc.assert(
      fc.property(record, damage, (one, { at, byte, cut }) => {
        const encoded = encodeRecord(Buffer.from('key'), one);
        encoded[68 + (at % (encoded.length - 68))] = byte;
        for (const damaged of [encoded, encoded.subarray(0, 68 + (cut % (encoded.length - 67)))]) {
          assert.ok(tagsOf(damaged).every((tag) => typeof tag === 'string'));
          assert.ok(costMsOf(damaged) >= 0);
          assert.equal(hasTagHash(damaged, new Set()), false);
        }
      }),
      { numRuns: 500 },
    );
  });
});
