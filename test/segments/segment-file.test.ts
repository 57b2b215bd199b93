/** One segment file under its only writer. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BigCacheError } from '../../src/protocol/errors.ts';
import { Kind } from '../../src/protocol/record.ts';
import {
  APPEND_STATE_AT,
  AppendState,
  decodeAppendHeader,
  decodeSegmentHeader,
  encodeAppendHead,
  SEGMENT_HEADER_BYTES,
  segmentFileName,
} from '../../src/segments/format.ts';
import { SegmentFile } from '../../src/segments/segment-file.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const isStoreFailed = (error: unknown): boolean =>
  error instanceof BigCacheError && error.code === 'STORE_FAILED';

describe('a segment file', () => {
  it('begins with its header', async (t) => {
    const directory = await temporaryDirectory(t);
    const header = { id: 12, writer: 3, createdAtMs: 1_700_000_000_000 };
    const file = await SegmentFile.create(directory, header);
    assert.equal(file.end, SEGMENT_HEADER_BYTES);
    await file.close();
    const bytes = await readFile(join(directory, segmentFileName(12)));
    assert.deepEqual(decodeSegmentHeader(bytes), header);
    assert.equal(bytes.length, SEGMENT_HEADER_BYTES);
  });

  it('is never made over one that is there, or where no directory is', async (t) => {
    const directory = await temporaryDirectory(t);
    const path = join(directory, segmentFileName(1));
    await writeFile(path, 'of an earlier run');
    const header = { id: 1, writer: 1, createdAtMs: 0 };
    await assert.rejects(SegmentFile.create(directory, header), isStoreFailed);
    assert.equal(await readFile(path, 'utf8'), 'of an earlier run');
    await assert.rejects(SegmentFile.create(join(directory, 'gone'), header), isStoreFailed);
  });

  it('holds any appends in the order in which they were made, where it said they would be', async (t) => {
    const directory = await temporaryDirectory(t);
    let id = 0;
    const piece = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
    const append = fc.record({
      buffers: fc.array(piece, { maxLength: 5 }),
      waits: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(append, { maxLength: 30 }), async (appends) => {
        id += 1;
        const file = await SegmentFile.create(directory, { id, writer: 1, createdAtMs: 0 });
        const written: { at: number; bytes: Buffer }[] = [];
        const pending: Promise<void>[] = [];
        for (const { buffers, waits } of appends) {
          const bytes = Buffer.concat(buffers);
          written.push({ at: file.end, bytes });
          pending.push(file.append(buffers, bytes.length));
          if (waits) await pending.at(-1);
        }
        await Promise.all(pending);
        await file.close();
        const content = await readFile(join(directory, segmentFileName(id)));
        assert.equal(content.length, file.end);
        for (const { at, bytes } of written) {
          assert.deepEqual(content.subarray(at, at + bytes.length), bytes);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('takes more buffers in one tick than the kernel takes in one write', async (t) => {
    const directory = await temporaryDirectory(t);
    const file = await SegmentFile.create(directory, { id: 1, writer: 1, createdAtMs: 0 });
    const lines = Array.from({ length: 1500 }, (_, nth) => `${nth}\n`);
    await Promise.all(
      lines.map((line) =>
        file.append(
          [...line].map((one) => Buffer.from(one)),
          line.length,
        ),
      ),
    );
    await file.close();
    const content = await readFile(join(directory, segmentFileName(1)), 'latin1');
    assert.equal(content.slice(SEGMENT_HEADER_BYTES), lines.join(''));
  });

  it('voids an append in place, and changes nothing else', async (t) => {
    const directory = await temporaryDirectory(t);
    const file = await SegmentFile.create(directory, { id: 1, writer: 1, createdAtMs: 0 });
    const head = encodeAppendHead({
      kind: Kind.json,
      key: Buffer.from('key'),
      bodyBytes: 0,
      checksums: Buffer.alloc(0),
      meta: Buffer.alloc(0),
    });
    await file.append([head], head.length);
    await file.append([head], head.length);
    await file.void(SEGMENT_HEADER_BYTES);
    await file.close();
    const content = await readFile(join(directory, segmentFileName(1)));
    const [voided, other] = [
      content.subarray(SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES + head.length),
      content.subarray(SEGMENT_HEADER_BYTES + head.length),
    ];
    assert.deepEqual(other, head);
    assert.equal(decodeAppendHeader(voided)?.isLive, false);
    const expected = Buffer.from(head);
    expected[APPEND_STATE_AT] = AppendState.void;
    assert.deepEqual(voided, expected);
  });
});
