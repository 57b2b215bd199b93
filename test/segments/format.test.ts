/** The bytes of a segment file: what is written is read back, and what was changed is found. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Kind } from '../../src/protocol/record.ts';
import {
  APPEND_HEADER_BYTES,
  APPEND_STATE_AT,
  type AppendMeta,
  type AppendParts,
  AppendState,
  appendBytes,
  appendIsIntact,
  decodeAppendHeader,
  decodeAppendMeta,
  decodeSegmentHeader,
  encodeAppendHead,
  encodeAppendMeta,
  encodeSegmentHeader,
  KEY_BYTES_IN_APPEND_MAX,
  META_BYTES_MAX,
  segmentFileName,
  segmentIdOf,
} from '../../src/segments/format.ts';

/** Objects as literals make them, so that deepEqual compares only what is in them. */
const PLAIN = { noNullPrototype: true } as const;
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const instant = fc.maxSafeNat();
const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const text = fc.option(fc.string({ unit: 'grapheme', maxLength: 100 }), { nil: null });

const parts: fc.Arbitrary<AppendParts> = fc.record(
  {
    kind: fc.constantFrom(Kind.json, Kind.raw),
    key: bytes(60),
    bodyBytes: instant,
    checksums: bytes(40),
    meta: bytes(60),
  },
  PLAIN,
);

const appendMeta: fc.Arbitrary<AppendMeta> = fc.record(
  {
    storedAtMs: instant,
    expiresAtMs: instant,
    staleWhileRevalidateUntilMs: instant,
    staleIfErrorUntilMs: instant,
    plainBytes: instant,
    etag: fc.option(bytes(64), { nil: null }),
    contentType: text,
    contentEncoding: text,
    tags: fc.array(fc.string({ unit: 'grapheme', maxLength: 30 }), { maxLength: 8 }),
    costMs: instant,
    expire: fc.option(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), { nil: null }),
    duration: text,
  },
  PLAIN,
);

const keyIn = (head: Buffer): Buffer => head.subarray(APPEND_HEADER_BYTES);

describe('the header of a segment', () => {
  const header = { id: uint32, writer: uint32, createdAtMs: instant };

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(fc.record(header, PLAIN), (written) => {
        assert.deepEqual(decodeSegmentHeader(encodeSegmentHeader(written)), written);
      }),
    );
  });

  it('is refused when any byte of it was changed, or when it is cut short', () => {
    fc.assert(
      fc.property(fc.record(header, PLAIN), fc.integer({ min: 1, max: 255 }), (written, change) => {
        const encoded = encodeSegmentHeader(written);
        for (let at = 0; at < encoded.length; at++) {
          const changed = Buffer.from(encoded);
          changed[at] = (changed[at] ?? 0) ^ change;
          assert.equal(decodeSegmentHeader(changed), undefined, `byte ${at}`);
          assert.equal(decodeSegmentHeader(encoded.subarray(0, at)), undefined, `${at} bytes`);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('the head of an append', () => {
  it('tells the lengths, the kind and the key that were written', () => {
    fc.assert(
      fc.property(parts, (written) => {
        const head = encodeAppendHead(written);
        const expected = {
          kind: written.kind,
          isLive: true,
          keyBytes: written.key.length,
          metaBytes: written.meta.length,
          checksumBytes: written.checksums.length,
          bodyBytes: written.bodyBytes,
        };
        assert.deepEqual(decodeAppendHeader(head), expected);
        assert.deepEqual(keyIn(head), written.key);
        assert.equal(
          appendBytes(expected),
          head.length + written.bodyBytes + written.checksums.length + written.meta.length,
        );
        assert.ok(appendIsIntact(head, keyIn(head), written.checksums, written.meta));
      }),
    );
  });

  it('is not intact when any byte of header, key, checksums or meta was changed', () => {
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 255 }), (written, change) => {
        const head = encodeAppendHead(written);
        const whole = Buffer.concat([head, written.checksums, written.meta]);
        const checksumsAt = head.length;
        const metaAt = checksumsAt + written.checksums.length;
        for (let at = 0; at < whole.length; at++) {
          // The state is changed in place when an append is refused, and bytes 24 to 39 are unused.
          if (at === APPEND_STATE_AT || (at >= 24 && at < 40)) continue;
          const changed = Buffer.from(whole);
          changed[at] = (changed[at] ?? 0) ^ change;
          const isIntact = appendIsIntact(
            changed.subarray(0, head.length),
            changed.subarray(APPEND_HEADER_BYTES, head.length),
            changed.subarray(checksumsAt, metaAt),
            changed.subarray(metaAt),
          );
          assert.equal(isIntact, false, `byte ${at}`);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('stays intact when it is voided, and then is not live', () => {
    fc.assert(
      fc.property(parts, (written) => {
        const head = encodeAppendHead(written);
        head[APPEND_STATE_AT] = AppendState.void;
        assert.equal(decodeAppendHeader(head)?.isLive, false);
        assert.ok(appendIsIntact(head, keyIn(head), written.checksums, written.meta));
      }),
    );
  });

  it('is refused when it is cut short, has no magic, or tells lengths out of bounds', () => {
    const head = encodeAppendHead({
      kind: Kind.json,
      key: Buffer.from('key'),
      bodyBytes: 5,
      checksums: Buffer.alloc(8),
      meta: Buffer.from('meta'),
    });
    const changed = (change: (head: Buffer) => void): Buffer => {
      const copy = Buffer.from(head);
      change(copy);
      return copy;
    };
    assert.notEqual(decodeAppendHeader(head), undefined);
    assert.equal(decodeAppendHeader(head.subarray(0, APPEND_HEADER_BYTES - 1)), undefined);
    assert.equal(decodeAppendHeader(Buffer.alloc(APPEND_HEADER_BYTES)), undefined);
    const refused = [
      changed((copy) => copy.writeUInt16LE(KEY_BYTES_IN_APPEND_MAX + 1, 6)),
      changed((copy) => copy.writeUInt32LE(META_BYTES_MAX + 1, 8)),
      changed((copy) => copy.writeBigUInt64LE(2n ** 53n, 16)),
    ];
    for (const bad of refused) assert.equal(decodeAppendHeader(bad), undefined);
    const longest = changed((copy) => copy.writeUInt16LE(KEY_BYTES_IN_APPEND_MAX, 6));
    assert.equal(decodeAppendHeader(longest)?.keyBytes, KEY_BYTES_IN_APPEND_MAX);
  });
});

describe('the meta of an append', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(appendMeta, (written) => {
        assert.deepEqual(decodeAppendMeta(encodeAppendMeta(written)), written);
      }),
    );
  });

  it('is a buffer of its own, which the next one does not overwrite', () => {
    fc.assert(
      fc.property(appendMeta, appendMeta, (one, other) => {
        const encoded = encodeAppendMeta(one);
        const before = Buffer.from(encoded);
        encodeAppendMeta(other);
        assert.deepEqual(encoded, before);
      }),
    );
  });
});

describe('the name of a segment file', () => {
  it('gives back the id, and sorts as the ids do while they have eight digits', () => {
    fc.assert(
      fc.property(uint32, fc.nat(99_999_999), fc.nat(99_999_999), (id, one, other) => {
        assert.equal(segmentIdOf(segmentFileName(id)), id);
        assert.equal(segmentFileName(one) < segmentFileName(other), one < other);
      }),
    );
    assert.equal(segmentFileName(1), '00000001.seg');
  });

  it('is nothing else', () => {
    for (const name of ['1.seg', '00000001.seg~', 'x00000001.seg', '0000000a.seg', '00000001']) {
      assert.equal(segmentIdOf(name), undefined, name);
    }
  });
});
