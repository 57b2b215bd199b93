/** What is on disk when, with each --durability, and what follows when the disk refuses. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SegmentState } from '../../../src/primary/store/segment-stats.ts';
import type { Durability } from '../../../src/protocol/config.ts';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { TestServer, type TestWorker } from '../../workers/store/segment-store-setup.ts';
import { RAW_META } from '../../workers/store/store-subject.ts';
import { openDescriptorsIn, SyncWatch } from './sync-watch.ts';

const SEGMENT = '00000001.seg';
const SECOND_MS = 1000;

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof BigCacheError && error.code === code;
}

class Subject {
  readonly path: string;
  readonly server: TestServer;
  readonly worker: TestWorker;
  readonly watch: SyncWatch;
  nowMs = 1_700_000_000_000;

  private constructor(path: string, server: TestServer, watch: SyncWatch) {
    this.path = path;
    this.server = server;
    this.worker = server.addWorker();
    this.watch = watch;
  }

  static async start(
    test: Parameters<typeof temporaryDirectory>[0],
    durability: Durability,
    path?: string,
  ): Promise<Subject> {
    const directory = path ?? (await temporaryDirectory(test));
    const watch = await SyncWatch.begin(test);
    const clock = { now: (): number => Date.now() };
    const server = await TestServer.start(directory, () => clock.now(), undefined, { durability });
    const subject = new Subject(server.directory.path, server, watch);
    clock.now = () => subject.nowMs;
    test.after(() => server.stop());
    return subject;
  }

  put(key: string): Promise<unknown> {
    return this.worker.store.put(key, RAW_META, Buffer.from(`body of ${key}`));
  }

  /** The segments, logs and their directories that were synced since the last call, in order. */
  synced(): string[] {
    return this.watch
      .takeInOrder(this.path)
      .filter((path) => /^(segments|index)(\/.*\.(seg|log))?$/.test(path));
  }

  stateOf(segment: number): number | undefined {
    return this.server.storage.entries.segments.get(segment)?.state;
  }
}

describe('with --durability always', () => {
  it('a write is acknowledged when its body is on disk, and not before', async (t) => {
    const subject = await Subject.start(t, 'always');
    await subject.put('first');
    subject.synced();
    let letGo = (): void => undefined;
    subject.watch.hold = new Promise((resolve) => {
      letGo = resolve;
    });
    let isAcknowledged = false;
    const writing = subject.put('second').then(() => {
      isAcknowledged = true;
    });
    await eventually(() => subject.synced().includes(`segments/${SEGMENT}`));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(isAcknowledged, false);
    const unseen = await subject.worker.store.get('second');
    assert.equal(unseen.found, false);
    letGo();
    await writing;
  });

  it('one sync covers all that waits together', async (t) => {
    const subject = await Subject.start(t, 'always');
    await subject.put('first');
    subject.synced();
    await Promise.all(Array.from({ length: 200 }, (_, nth) => subject.put(`key ${nth}`)));
    const syncs = subject.synced().filter((path) => path.endsWith('.seg')).length;
    assert.ok(syncs >= 1 && syncs < 40, `${syncs} syncs of 200 writes`);
  });

  it('a segment that cannot be synced is sealed, and the next write gets another', async (t) => {
    const subject = await Subject.start(t, 'always');
    await subject.put('before');
    subject.watch.failOn(SEGMENT, 'EIO');
    await assert.rejects(subject.put('refused'), isCode('STORE_FAILED'));
    assert.equal((await subject.worker.store.get('refused')).found, false);
    assert.throws(() => subject.server.storage.checkWritable(), isCode('STORE_FAILED'));
    await eventually(() => subject.stateOf(1) === SegmentState.sealed);
    await eventually(async () => {
      return await subject.put('after').then(
        () => true,
        () => false,
      );
    });
    assert.equal(subject.stateOf(2), SegmentState.open);
    subject.nowMs += 31_000;
    subject.server.storage.checkWritable();
  });
});

describe('with --durability interval', () => {
  it('a write is synced within a second of its acknowledgement, body and name first', async (t) => {
    const subject = await Subject.start(t, 'interval');
    await subject.put('key');
    const order: string[] = [];
    await eventually(() => {
      order.push(...subject.synced());
      return order.at(-1)?.endsWith('.log') === true && order.includes('segments');
    }, SECOND_MS);
    const body = order.indexOf(`segments/${SEGMENT}`);
    assert.ok(body !== -1 && body < order.length - 1, order.join(', '));
  });

  it('nothing is synced while nothing is written', async (t) => {
    const subject = await Subject.start(t, 'interval');
    await subject.put('key');
    await eventually(() => subject.synced().some((path) => path.endsWith('.log')));
    await new Promise((resolve) => setTimeout(resolve, SECOND_MS));
    subject.synced();
    await new Promise((resolve) => setTimeout(resolve, SECOND_MS));
    assert.deepEqual(subject.synced(), []);
  });

  it('removals are synced as writes are', async (t) => {
    const subject = await Subject.start(t, 'interval');
    await subject.put('key');
    await new Promise((resolve) => setTimeout(resolve, SECOND_MS));
    subject.synced();
    await subject.worker.store.delete('key');
    await eventually(() => subject.synced().some((path) => path.endsWith('.log')), SECOND_MS);
  });

  it('a close syncs what is left, and leaves no descriptor open', async (t) => {
    const subject = await Subject.start(t, 'interval');
    await subject.put('key');
    await subject.server.storage.close();
    const synced = subject.synced();
    assert.ok(synced.includes(`segments/${SEGMENT}`), synced.join(', '));
    assert.ok(synced.some((path) => path.endsWith('.log')));
    assert.deepEqual(openDescriptorsIn(join(subject.path, 'index')), []);
  });

  it('a start syncs the segments that the last run left', async (t) => {
    const path = await temporaryDirectory(t);
    const first = await Subject.start(t, 'none', path);
    await first.put('key');
    await first.server.stop();
    const second = await Subject.start(t, 'interval', path);
    await eventually(() => second.synced().includes(`segments/${SEGMENT}`), SECOND_MS);
  });

  it('a segment that cannot be synced is sealed, and writes go on in another', async (t) => {
    const subject = await Subject.start(t, 'interval');
    subject.watch.failOn(SEGMENT, 'EIO');
    await subject.put('before');
    await eventually(() => subject.stateOf(1) === SegmentState.sealed);
    assert.throws(() => subject.server.storage.checkWritable(), isCode('STORE_FAILED'));
    await subject.put('after');
    assert.equal(subject.stateOf(2), SegmentState.open);
  });

  it('no change is taken any more once a log of the index cannot be synced', async (t) => {
    const subject = await Subject.start(t, 'interval');
    await subject.put('before');
    subject.watch.failOn('.log', 'EIO');
    await eventually(() => subject.server.storage.entries.failure !== undefined, 2 * SECOND_MS);
    await assert.rejects(subject.put('refused'), isCode('STORE_FAILED'));
    assert.equal((await subject.worker.store.get('before')).found, true);
    subject.watch.failOn(undefined, '');
    await subject.server.storage.close();
    await subject.server.storage.open();
    await subject.put('after');
  });

  it('an index that was closed and opened while it healed is not opened once more', async (t) => {
    const subject = await Subject.start(t, 'interval');
    const { storage } = subject.server;
    await subject.put('before');
    subject.watch.failOn('.log', 'EIO');
    await eventually(() => storage.entries.failure !== undefined, 2 * SECOND_MS);
    subject.watch.failOn(undefined, '');
    await Promise.all([storage.close(), storage.open()]);
    const opened = storage.entries;
    await new Promise((resolve) => setTimeout(resolve, SECOND_MS));
    assert.equal(storage.entries, opened);
    await subject.put('after');
  });

  it('is told not to hold while files cannot be opened to be synced, and holds again', async (t) => {
    const subject = await Subject.start(t, 'interval');
    const { storage } = subject.server;
    const isWritable = (): boolean => {
      try {
        storage.checkWritable();
        return true;
      } catch {
        return false;
      }
    };
    subject.watch.failOn('/segments', 'EMFILE');
    await subject.put('key');
    await eventually(() => {
      subject.nowMs += 50;
      return !isWritable();
    }, 5 * SECOND_MS);
    assert.equal(storage.entries.failure, undefined, 'it passes, so writes go on');
    await subject.put('key');
    subject.watch.failOn(undefined, '');
    await eventually(isWritable, 5 * SECOND_MS);
  });
});

describe('with --durability none', () => {
  it('entries are not synced', async (t) => {
    const subject = await Subject.start(t, 'none');
    await subject.put('key');
    subject.synced();
    await subject.put('key');
    await subject.worker.store.delete('key');
    await new Promise((resolve) => setTimeout(resolve, SECOND_MS));
    assert.deepEqual(subject.synced(), []);
  });

  it('what a purge removed is on disk before the purge is forgotten', async (t) => {
    const subject = await Subject.start(t, 'none');
    await subject.put('key');
    subject.synced();
    await subject.worker.store.deletePrefix('k');
    assert.ok(subject.synced().some((path) => path.endsWith('.log')));
  });

  it('no change is taken any more once what a purge removed cannot be synced', async (t) => {
    const subject = await Subject.start(t, 'none');
    await subject.put('key');
    subject.watch.failOn('.log', 'EIO');
    await assert.rejects(subject.worker.store.deletePrefix('k'), isCode('STORE_FAILED'));
    assert.throws(() => subject.server.storage.checkWritable(), isCode('STORE_FAILED'));
    await assert.rejects(subject.put('refused'), isCode('STORE_FAILED'));
  });
});
