/** A segment file with changed bytes, walked as job threads walk it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kind } from '../../src/protocol/record.ts';
import { scanAppends } from '../../src/segments/append-scan.ts';
import { appendBytes, encodeAppendHead, encodeSegmentHeader } from '../../src/segments/format.ts';

const APPENDS = 5;
const BODY_BYTES = 30;

function wholeSegment(): Buffer {
  const parts = [encodeSegmentHeader({ id: 1, writer: 1, createdAtMs: 5 })];
  for (let nth = 0; nth < APPENDS; nth++) {
    const [checksums, meta] = [Buffer.alloc(8, nth), Buffer.from(`meta ${nth}`)];
    const append = { kind: Kind.raw, key: Buffer.from(`key/${nth}`), bodyBytes: BODY_BYTES };
    parts.push(encodeAppendHead({ ...append, checksums, meta }));
    parts.push(Buffer.alloc(BODY_BYTES, 'x'), checksums, meta);
  }
  return Buffer.concat(parts);
}

const WHOLE = wholeSegment();
const directory = mkdtempSync(join(tmpdir(), 'bigcache-fuzz-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

/** Changes so many bytes, and checks that the walk ends, in order, within the file. */
export async function scanSpoilt(numbers: Iterator<number>, changes: number): Promise<void> {
  const next = (end: number): number => Number(numbers.next().value) % end;
  const bytes = Buffer.from(WHOLE).subarray(0, WHOLE.length - (changes === 0 ? 0 : next(40)));
  for (let left = changes; left > 0; left--) bytes[next(bytes.length)] = next(256);
  const path = join(directory, '00000001.seg');
  writeFileSync(path, bytes);
  let end = 0;
  let found = 0;
  for await (const { at, header } of scanAppends(path)) {
    assert.ok(at >= end && at + appendBytes(header) <= bytes.length);
    end = at + appendBytes(header);
    found += 1;
  }
  if (changes === 0) assert.equal(found, APPENDS);
}
