/** Walking a segment file: every whole append in its order, and nothing of a torn tail. */
import assert from 'node:assert/strict';
import { readFile, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { scanAppends } from '../../src/segments/append-scan.ts';
import {
  APPEND_HEADER_BYTES,
  appendBytes,
  KEY_BYTES_IN_APPEND_MAX,
  SEGMENT_HEADER_BYTES,
  segmentFileName,
} from '../../src/segments/format.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { appendTo, newLog, TestGrants } from './segment-setup.ts';

const MiB = 1024 * 1024;

interface Found {
  readonly key: string;
  readonly isLive: boolean;
  readonly bodyAt: number;
  readonly bodyBytes: number;
  readonly end: number;
}

async function scan(path: string): Promise<Found[]> {
  const found: Found[] = [];
  for await (const { at, header, key } of scanAppends(path)) {
    found.push({
      key,
      isLive: header.isLive,
      bodyAt: at + APPEND_HEADER_BYTES + header.keyBytes,
      bodyBytes: header.bodyBytes,
      end: at + appendBytes(header),
    });
  }
  return found;
}

/** Writes entries into one segment in order; answers its path and where the bodies lie. */
async function written(
  directory: string,
  entries: readonly { key: string; bodyBytes: number; isLive: boolean }[],
): Promise<{ path: string; expected: Omit<Found, 'end'>[] }> {
  const log = newLog(directory, new TestGrants(), 64 * MiB);
  const expected: Omit<Found, 'end'>[] = [];
  for (const { key, bodyBytes, isLive } of entries) {
    const placed = await appendTo(log, key, Buffer.alloc(bodyBytes, 'b'));
    expected.push({ key, isLive, bodyAt: placed.pointer.offset, bodyBytes });
    placed.settle(isLive);
  }
  await log.sealAll();
  while (!log.isIdle) await new Promise((resolve) => setImmediate(resolve));
  return { path: join(directory, segmentFileName(1)), expected };
}

const ENTRIES = [
  { key: 'a', bodyBytes: 10, isLive: true },
  { key: '한국', bodyBytes: 0, isLive: false },
  { key: 'k'.repeat(KEY_BYTES_IN_APPEND_MAX), bodyBytes: 200_000, isLive: true },
  { key: 'z', bodyBytes: 1, isLive: true },
];

const withoutEnd = (found: readonly Found[]): Omit<Found, 'end'>[] =>
  found.map(({ end: _, ...rest }) => rest);

describe('a walk over a segment', () => {
  it('finds what a log wrote, in its order, refused appends included', async (t) => {
    const directory = await temporaryDirectory(t);
    const entry = fc.record({
      key: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
      bodyBytes: fc.nat(2000),
      isLive: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 12 }), async (entries) => {
        const { path, expected } = await written(directory, entries);
        assert.deepEqual(withoutEnd(await scan(path)), expected);
        await unlink(path);
      }),
      { numRuns: 25 },
    );
  });

  it('reads keys up to the longest', async (t) => {
    const { path, expected } = await written(await temporaryDirectory(t), ENTRIES);
    assert.deepEqual(withoutEnd(await scan(path)), expected);
  });

  it('stops at a torn tail, wherever the writer died', async (t) => {
    const { path } = await written(await temporaryDirectory(t), ENTRIES);
    const whole = await scan(path);
    const ends = [SEGMENT_HEADER_BYTES, ...whole.map(({ end }) => end)];
    for (let count = whole.length - 1; count >= 0; count--) {
      const [begin, end] = [ends[count] ?? 0, ends[count + 1] ?? 0];
      for (const size of [end - 1, begin + APPEND_HEADER_BYTES, begin + 1, begin]) {
        await truncate(path, size);
        assert.deepEqual(await scan(path), whole.slice(0, count), `${size} bytes`);
      }
    }
  });

  it('stops where no append begins', async (t) => {
    const { path } = await written(await temporaryDirectory(t), ENTRIES);
    const whole = await scan(path);
    const content = await readFile(path);
    content.fill(0, whole[1]?.end, (whole[1]?.end ?? 0) + 4);
    await writeFile(path, content);
    assert.deepEqual(await scan(path), whole.slice(0, 2));
  });

  it('finds nothing in a file that is no segment, and rejects where there is none', async (t) => {
    const directory = await temporaryDirectory(t);
    const path = join(directory, segmentFileName(1));
    for (const content of ['', 'short', Buffer.alloc(1000)]) {
      await writeFile(path, content);
      assert.deepEqual(await scan(path), []);
    }
    await assert.rejects(
      scan(join(directory, segmentFileName(2))),
      (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
    );
  });
});
