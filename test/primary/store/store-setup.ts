/**
 * What the tests of the store in the primary share: an open index in a temporary directory, records,
 * the files of segments, and an index whose writes can be held up or made to fail.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { openDirectory, type StoreDirectory } from '../../../src/primary/directory/directory.ts';
import type { Index } from '../../../src/primary/store/index/index-files.ts';
import { encodeRecord, Kind } from '../../../src/protocol/record.ts';
import { segmentFileName } from '../../../src/segments/format.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { openIndex } from './index/open-index.ts';

export const SILENT = pino({ level: 'silent' });

/** A log whose messages, from warnings on, go to `messages`. */
export function logTo(messages: string[]): pino.Logger {
  const write = (line: string): void => void messages.push(JSON.parse(line).msg);
  return pino({ level: 'warn' }, { write });
}

type Test = Parameters<typeof temporaryDirectory>[0];

/** A store's directory with its index, both given up when the test ends. */
export async function openedIndex(
  test: Test,
): Promise<{ directory: StoreDirectory; index: Index }> {
  const directory = await openDirectory(await temporaryDirectory(test));
  const index = await openIndex(directory);
  test.after(async () => {
    await index.close();
    await directory.release();
  });
  return { directory, index };
}

export interface RecordOptions {
  readonly segment?: number;
  readonly offset?: number;
  readonly storedBytes?: number;
  readonly expiresAtMs?: number;
  readonly staleWhileRevalidateUntilMs?: number;
  readonly staleIfErrorUntilMs?: number;
  readonly tags?: readonly string[];
  readonly costMs?: number;
}

/** The record of a body that lies in a segment. */
export function recordOf(key: string, options: RecordOptions = {}): Buffer {
  const { segment = 1, offset = 100, storedBytes = 10, expiresAtMs = 0 } = options;
  const { staleWhileRevalidateUntilMs = 0, staleIfErrorUntilMs = 0 } = options;
  const { tags = [], costMs = 0 } = options;
  return encodeRecord(Buffer.from(key), {
    kind: Kind.raw,
    version: 0,
    storedAtMs: 1,
    expiresAtMs,
    staleWhileRevalidateUntilMs,
    staleIfErrorUntilMs,
    pointer: { segment, offset },
    plainBytes: storedBytes,
    storedBytes,
    checksums: Buffer.alloc(8),
    etag: null,
    contentType: null,
    contentEncoding: null,
    tags,
    costMs,
    expire: null,
    duration: null,
  });
}

/** Makes the file of a segment, with nothing in it. */
export async function createSegmentFile(directory: StoreDirectory, id: number): Promise<string> {
  const path = join(directory.segmentsPath, segmentFileName(id));
  await (await open(path, 'w')).close();
  return path;
}

/** Writes of an index that wait, from the next one on, until they are let go. */
export interface HeldWrites {
  /** Resolves when a write waits. */
  readonly reached: Promise<void>;
  letGo(): void;
}

export function holdWrites(index: Index): HeldWrites {
  let letGo = (): void => undefined;
  let arrive = (): void => undefined;
  const reached = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const released = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const end = beforeWrites(index, async () => {
    arrive();
    await released;
  });
  return {
    reached,
    letGo: () => {
      end();
      letGo();
    },
  };
}

/** Has every write of the index fail like LevelDB's own; answers how to end that. */
export function failWrites(index: Index, message: string, code: string): () => void {
  const error = Object.assign(new Error(message), { code });
  return beforeWrites(index, () => Promise.reject(error));
}

/** Has `before` run, and resolve, before each write of the index; answers how to end that. */
export function beforeWrites(
  index: Index,
  before: (options: { readonly sync: boolean }) => Promise<void>,
): () => void {
  const begin = index.batch.bind(index) as () => ChainedBatch;
  const writeAll = index.batch.bind(index) as (...args: unknown[]) => Promise<void>;
  Object.assign(index, {
    batch: (changes?: unknown, all?: { readonly sync: boolean }) => {
      if (changes !== undefined) {
        return before(all ?? { sync: false }).then(() => writeAll(changes, all));
      }
      const batch = begin();
      const write = batch.write.bind(batch);
      batch.write = async (options) => {
        await before(options);
        await write(options);
      };
      return batch;
    },
  });
  return () => {
    Reflect.deleteProperty(index, 'batch');
  };
}

interface ChainedBatch {
  write(options: { readonly sync: boolean }): Promise<void>;
}
