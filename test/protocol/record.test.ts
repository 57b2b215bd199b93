import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  decodeRecord,
  type EntryRecord,
  encodeRecord,
  expiresAtOf,
  IN_RECORD,
  isIntact,
  Kind,
  pointerOf,
  RECORD_HEAD_BYTES,
  stampVersion,
  storedBytesOf,
  usefulUntilOf,
  versionOf,
  withWholeHead,
} from '../../src/protocol/record.ts';

const count = fc.maxSafeNat();
const textOrNull = fc.option(fc.string({ maxLength: 256, unit: 'grapheme' }));

const inSegments: fc.Arbitrary<EntryRecord> = fc.record(
  {
    kind: fc.constantFrom(Kind.json, Kind.raw),
    version: count,
    storedAtMs: count,
    expiresAtMs: fc.oneof(count, fc.constant(0)),
    staleWhileRevalidateUntilMs: count,
    staleIfErrorUntilMs: count,
    pointer: fc.record(
      { segment: fc.integer({ min: 1, max: 0xffff_ffff }), offset: count },
      { noNullPrototype: true },
    ),
    plainBytes: count,
    storedBytes: count,
    checksums: fc.uint8Array({ maxLength: 128 }).map((bytes) => Buffer.from(bytes)),
    etag: fc.option(fc.uint8Array({ maxLength: 32 }).map((bytes) => Buffer.from(bytes))),
    contentType: textOrNull,
    contentEncoding: textOrNull,
    tags: fc.array(fc.string({ maxLength: 32 }), { maxLength: 32 }),
    costMs: count,
    // msgpack writes -0 as the integer 0.
    expire: fc.option(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    ),
    duration: textOrNull,
    inlineBody: fc.constant(undefined),
  },
  { noNullPrototype: true },
);

/** Some with their body in the record. */
const records: fc.Arbitrary<EntryRecord> = fc
  .tuple(inSegments, fc.option(fc.uint8Array({ maxLength: 20 })))
  .map(([record, body]) => {
    if (body === null) return record;
    return { ...record, pointer: { segment: IN_RECORD, offset: 0 }, inlineBody: Buffer.from(body) };
  });

const keys = fc
  .string({ minLength: 1, maxLength: 64, unit: 'grapheme' })
  .map((k) => Buffer.from(k));

function usefulUntil(record: EntryRecord): number {
  const { expiresAtMs, staleWhileRevalidateUntilMs, staleIfErrorUntilMs } = record;
  if (expiresAtMs === 0) return 0;
  return Math.max(expiresAtMs, staleWhileRevalidateUntilMs, staleIfErrorUntilMs);
}

describe('a record', () => {
  it('comes out as it went in, with its head readable alone', () => {
    fc.assert(
      fc.property(keys, records, (key, record) => {
        const encoded = encodeRecord(key, record);
        assert.deepEqual(decodeRecord(key, encoded), record);
        assert.equal(versionOf(encoded), record.version);
        assert.equal(expiresAtOf(encoded), record.expiresAtMs);
        assert.equal(usefulUntilOf(encoded), usefulUntil(record));
        assert.deepEqual(pointerOf(encoded), record.pointer);
        assert.equal(storedBytesOf(encoded), record.storedBytes);
      }),
    );
  });

  it('is found damaged after any flipped bit', () => {
    fc.assert(
      fc.property(keys, records, fc.nat(), fc.nat(7), (key, record, place, bit) => {
        const encoded = encodeRecord(key, record);
        const at = place % encoded.length;
        encoded[at] = (encoded[at] ?? 0) ^ (1 << bit);
        assert.equal(decodeRecord(key, encoded), undefined);
      }),
    );
  });

  it('is found damaged when it is cut short, and judged without harm', () => {
    fc.assert(
      fc.property(keys, records, fc.nat(), (key, record, place) => {
        const encoded = encodeRecord(key, record);
        const cut = withWholeHead(encoded.subarray(0, place % encoded.length));
        assert.equal(decodeRecord(key, cut), undefined);
        assert.ok(cut.length > RECORD_HEAD_BYTES);
      }),
    );
  });

  it('has a version that the channel takes, whatever damage has made of it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 69, maxLength: 100 }), (bytes) => {
        const found = versionOf(withWholeHead(Buffer.from(bytes)));
        assert.ok(Number.isSafeInteger(found) && found >= 0);
      }),
    );
  });

  it('belongs to its key alone', () => {
    fc.assert(
      fc.property(keys, keys, records, (key, other, record) => {
        fc.pre(!key.equals(other));
        assert.equal(isIntact(other, encodeRecord(key, record)), false);
      }),
    );
  });

  it('keeps all but the version when it is stamped', () => {
    fc.assert(
      fc.property(keys, records, count, (key, record, version) => {
        const encoded = encodeRecord(key, record);
        stampVersion(key, encoded, version);
        assert.deepEqual(decodeRecord(key, encoded), { ...record, version });
      }),
    );
  });
});
