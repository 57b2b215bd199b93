/**
 * What the tests of the commands on a stopped store share: a store that is filled in process and then
 * stopped, ways to damage it, and what lies in a directory.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openDirectory } from '../../../src/primary/directory/directory.ts';
import type { Index } from '../../../src/primary/store/index/index-files.ts';
import { entryKey } from '../../../src/primary/store/index/index-keys.ts';
import { decodeRecord, type EntryRecord } from '../../../src/protocol/record.ts';
import { segmentFileName } from '../../../src/segments/format.ts';
import { TestServer, type TestWorker } from '../../workers/store/segment-store-setup.ts';
import { bytesOf, pattern, RAW_META } from '../../workers/store/store-subject.ts';
import { openIndex } from '../store/index/open-index.ts';

/** Fills a store through a worker, then stops it. */
export async function filledStore(
  path: string,
  fill: (worker: TestWorker, server: TestServer) => Promise<void>,
  now: () => number = Date.now,
): Promise<void> {
  const server = await TestServer.start(path, now);
  await fill(server.addWorker(), server);
  await server.stop();
}

/** A store of the entries `page/0`, `page/1`, ... whose bodies have 1,000 bytes, and one of 300,000. */
export async function plainStore(path: string, entries = 40): Promise<void> {
  await filledStore(path, async ({ store }) => {
    for (let nth = 0; nth < entries; nth++) {
      await store.put(`page/${nth}`, RAW_META, pattern(1000, nth + 1));
    }
    await store.put('long', RAW_META, pattern(300_000));
  });
}

/** Every entry of `keys` that can be read, by a new run of the server. */
export async function readAll(
  path: string,
  keys: Iterable<string>,
  now: () => number = Date.now,
): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const server = await TestServer.start(path, now);
  const { store, damaged } = server.addWorker();
  for (const key of keys) {
    const hit = await store.get(key);
    if (hit.found) found.set(key, await bytesOf(hit.content));
  }
  assert.deepEqual(damaged, []);
  await server.stop();
  return found;
}

/** Opens the index of a stopped store for a moment, as a server would. */
export async function withIndex<T>(path: string, work: (index: Index) => Promise<T>): Promise<T> {
  const directory = await openDirectory(path);
  const index = await openIndex(directory);
  try {
    return await work(index);
  } finally {
    await index.close();
    await directory.release();
  }
}

export async function recordIn(path: string, key: string): Promise<EntryRecord> {
  const value = await withIndex(path, (index) => index.get(entryKey(key)));
  const record = value && decodeRecord(Buffer.from(key), value);
  assert.ok(record !== undefined, `${key} has a record`);
  return record;
}

export const segmentPath = (path: string, id: number): string =>
  join(path, 'segments', segmentFileName(id));

/** Flips all bits of the byte at `at`. */
export async function flip(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  const { bytesRead } = await handle.read(byte, 0, 1, at);
  assert.equal(bytesRead, 1, `${file} has a byte ${at}`);
  byte[0] = (byte[0] ?? 0) ^ 0xff;
  await handle.write(byte, 0, 1, at);
  await handle.close();
}

/** Every file below `path` but LOCK, with a digest of its content. */
export async function digests(path: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
    const file = join(entry.parentPath, entry.name);
    if (entry.name === 'LOCK') continue;
    files[file] = entry.isFile()
      ? createHash('sha256')
          .update(await readFile(file))
          .digest('hex')
      : '';
  }
  return files;
}

/** Names in the store that begin with a dot: what a command has not cleaned up. */
export async function leftovers(path: string): Promise<string[]> {
  return (await readdir(path)).filter((name) => name.startsWith('.'));
}

/** What a command prints, and how it ends. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
}

/** Runs a command without a terminal; `out` is what goes to stdout. */
export async function outcomeOf(
  run: (out: (text: string) => void) => Promise<number>,
): Promise<Outcome> {
  let out = '';
  const code = await run((text) => {
    out += text;
  });
  return { code, out };
}

/** Flags of a rebuild. */
export const TRUST = { isTrusted: true, isForced: false };
export const PLAIN = { isTrusted: false, isForced: false };

export const QUIET = { isTTY: false, write: () => undefined };
