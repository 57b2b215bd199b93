/**
 * What the tests of segments share: the meta of a bare entry, a log in a temporary directory over
 * grants that are kept in memory, and the bytes of a file changed from outside.
 */
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Kind } from '../../src/protocol/record.ts';
import { type AppendMeta, segmentFileName } from '../../src/segments/format.ts';
import { type Placed, type SegmentGrants, SegmentLog } from '../../src/segments/segment-log.ts';

export const BARE_META: AppendMeta = {
  storedAtMs: 1_700_000_000_000,
  expiresAtMs: 0,
  staleWhileRevalidateUntilMs: 0,
  staleIfErrorUntilMs: 0,
  plainBytes: 0,
  etag: null,
  contentType: null,
  contentEncoding: null,
  tags: [],
  costMs: 0,
  expire: null,
  duration: null,
};

/** Grants rising ids, and remembers what was sealed. */
export class TestGrants implements SegmentGrants {
  readonly sealed: number[] = [];
  granted = 0;
  /** What the next grants fail with. */
  failure: Error | undefined;

  async grant(): Promise<number> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.failure !== undefined) throw this.failure;
    this.granted += 1;
    return this.granted;
  }

  async extend(): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
  }

  seal(segment: number): void {
    this.sealed.push(segment);
  }
}

export function newLog(directory: string, grants: SegmentGrants, segmentBytes: number): SegmentLog {
  return new SegmentLog({ directory, segmentBytes, writer: 7, grants, now: () => 1234 });
}

export function appendTo(log: SegmentLog, key: string, body: Buffer): Promise<Placed> {
  const meta = { ...BARE_META, plainBytes: body.length };
  return log.append(Buffer.from(key), Kind.raw, meta, body);
}

export function streamTo(
  log: SegmentLog,
  key: string,
  body: AsyncIterable<Buffer>,
): Promise<Placed> {
  const describe = (plainBytes: number): AppendMeta => ({ ...BARE_META, plainBytes });
  return log.appendStream(Buffer.from(key), Kind.raw, body, describe);
}

/** The stored bytes that a placed body points to, read from its file. */
export async function storedBytesOf(directory: string, placed: Placed): Promise<Buffer> {
  const file = await readFile(join(directory, segmentFileName(placed.pointer.segment)));
  return file.subarray(placed.pointer.offset, placed.pointer.offset + placed.storedBytes);
}

/** Flips every bit of the byte at `at`. */
export async function flipByte(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    await file.write(Buffer.from([(byte[0] ?? 0) ^ 0xff]), 0, 1, at);
  } finally {
    await file.close();
  }
}
