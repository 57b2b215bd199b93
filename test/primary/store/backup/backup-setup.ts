/**
 * What the tests of backups share: a server in this process, bodies in and out, and a copy of a store
 * read from outside.
 */
import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EntryMeta, Kind } from '../../../../src/protocol/record.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import { TestServer, type TestWorker } from '../../../workers/store/segment-store-setup.ts';

type Test = Parameters<typeof temporaryDirectory>[0];

export const FAST = 100 * 1024 ** 3;

export const RAW: EntryMeta = {
  kind: Kind.raw,
  expiresAtMs: 0,
  contentType: null,
  expire: null,
  duration: null,
};

/** A store with its server in a directory that also has room for backups. */
export async function servedStore(
  test: Test,
  now?: () => number,
): Promise<{ server: TestServer; worker: TestWorker; place: (name: string) => string }> {
  const home = await temporaryDirectory(test);
  const server = await TestServer.start(join(home, 'store'), now);
  let isStopped = false;
  const stop = server.stop.bind(server);
  server.stop = async () => {
    if (!isStopped) await stop();
    isStopped = true;
  };
  test.after(() => server.stop());
  return { server, worker: server.addWorker(), place: (name) => join(home, name) };
}

/** The body of an entry, or undefined when there is none to read. */
export async function readBody(worker: TestWorker, key: string): Promise<Buffer | undefined> {
  const found = await worker.store.get(key);
  if (!found.found) return undefined;
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of found.content.chunks()) chunks.push(Buffer.from(chunk));
  } finally {
    found.content.release();
  }
  return Buffer.concat(chunks);
}

/** Serves a copy of the backup at `path` and reads `keys` from it: those that are there. */
export async function contentOf(
  path: string,
  keys: readonly string[],
  now?: () => number,
): Promise<Map<string, string>> {
  const home = await mkdtemp(join(tmpdir(), 'bigcache-copy-'));
  try {
    await cp(path, join(home, 'copy'), { recursive: true });
    const server = await TestServer.start(join(home, 'copy'), now);
    try {
      const worker = server.addWorker();
      const content = new Map<string, string>();
      for (const key of keys) {
        const body = await readBody(worker, key);
        if (body !== undefined) content.set(key, body.toString('latin1'));
      }
      assert.deepEqual(worker.damaged, [], 'nothing in the backup is damaged');
      return content;
    } finally {
      await server.stop();
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** A directory on another file system than the temporary directory's; fails where there is none. */
export async function directoryElsewhere(test: Test): Promise<string> {
  const path = await mkdtemp('/dev/shm/bigcache-test-');
  test.after(() => rm(path, { recursive: true, force: true }));
  const [here, elsewhere] = [await stat(tmpdir()), await stat(path)];
  assert.notEqual(
    here.dev,
    elsewhere.dev,
    '/dev/shm is another file system than the temporary one',
  );
  return path;
}
