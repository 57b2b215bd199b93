/** What the job threads find, called without their threads. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import countMatching from '../../../src/primary/jobs/count-matching.ts';
import scanEntries, { type ScanRequest } from '../../../src/primary/jobs/scan-entries.ts';
import walkSegment from '../../../src/primary/jobs/walk-segment.ts';
import { ENTRIES, entryKey, entryRange } from '../../../src/primary/store/index/index-keys.ts';
import type { PurgeMark } from '../../../src/primary/store/purges/purge-matchers.ts';
import { packMarks } from '../../../src/primary/store/purges/purges.ts';
import { stampVersion } from '../../../src/protocol/record.ts';
import { segmentFileName } from '../../../src/segments/format.ts';
import { appendTo, newLog, TestGrants } from '../../segments/segment-setup.ts';
import { openedIndex, type RecordOptions, recordOf } from './store-setup.ts';

function versioned(key: string, version: number, options: RecordOptions = {}): Buffer {
  const record = recordOf(key, options);
  stampVersion(Buffer.from(key), record, version);
  return record;
}

describe('a count of what a purge would take', () => {
  it('counts what could be read and is not purged yet, and changes nothing', async (t) => {
    const { directory, index } = await openedIndex(t);
    const costly = { costMs: 7, storedBytes: 100 };
    const records = {
      'a/1': versioned('a/1', 1, { ...costly, tags: ['t'] }),
      'a/2': versioned('a/2', 2, { ...costly, tags: ['u'], expiresAtMs: 1001 }),
      'a/expired': versioned('a/expired', 3, { ...costly, expiresAtMs: 1000 }),
      'a/stale': versioned('a/stale', 4, {
        ...{ ...costly, expiresAtMs: 1000, staleIfErrorUntilMs: 1001 },
      }),
      'a/purged': versioned('a/purged', 5, { ...costly, tags: ['t', 'gone'] }),
      'b/1': versioned('b/1', 6, { ...costly, tags: ['t'] }),
    };
    for (const [key, record] of Object.entries(records)) await index.put(entryKey(key), record);
    const count = (mark: Partial<PurgeMark>, stop = 0) =>
      countMatching({
        indexPath: directory.indexPath,
        mark: { version: 20, prefix: '', ...mark },
        nowMs: 1000,
        clearVersion: 0,
        packed: packMarks([{ version: 10, prefix: '', tag: 'gone' }]),
        stop: new Uint8Array(new SharedArrayBuffer(1)).fill(stop),
      });
    const figures = (matched: number) => ({
      isComplete: true,
      matched,
      bytes: 100 * matched,
      costMs: 7 * matched,
    });
    assert.deepEqual(await count({ prefix: 'a/' }), figures(3));
    assert.deepEqual(await count({ prefix: 'a/', isSoft: true }), figures(2));
    assert.deepEqual(await count({ tag: 't' }), figures(2));
    assert.deepEqual(await count({}), figures(4));
    assert.equal((await count({}, 1)).isComplete, false);
  });
});

describe('a scan of entries', () => {
  async function scanned(
    test: Parameters<typeof openedIndex>[0],
    records: Readonly<Record<string, Buffer>>,
    request: Partial<ScanRequest>,
  ) {
    const { directory, index } = await openedIndex(test);
    for (const [key, record] of Object.entries(records)) await index.put(entryKey(key), record);
    return scanEntries({
      indexPath: directory.indexPath,
      ranges: [ENTRIES],
      at: ENTRIES.gte,
      entriesMax: 1000,
      expiredBeforeMs: 0,
      clearVersion: 0,
      purges: [],
      ...request,
    });
  }

  it('finds what expired in time, what was purged and what was cleared', async (t) => {
    const records = {
      cleared: versioned('cleared', 5),
      early: versioned('early', 11, { expiresAtMs: 1000 }),
      late: versioned('late', 12, { expiresAtMs: 1001 }),
      'p/old': versioned('p/old', 13),
      'p/young': versioned('p/young', 15),
      sound: versioned('sound', 14),
    };
    const { dead, next } = await scanned(t, records, {
      expiredBeforeMs: 1000,
      clearVersion: 10,
      purges: [{ version: 14, prefix: 'p/' }],
    });
    assert.deepEqual(dead, [
      { key: 'cleared', version: 5 },
      { key: 'early', version: 11 },
      { key: 'p/old', version: 13 },
    ]);
    assert.equal(next, undefined);
  });

  it('leaves what may still be served stale', async (t) => {
    const expiresAtMs = 1000;
    const records = {
      error: versioned('error', 1, { expiresAtMs, staleIfErrorUntilMs: 2001 }),
      gone: versioned('gone', 2, {
        expiresAtMs,
        staleWhileRevalidateUntilMs: 1500,
        staleIfErrorUntilMs: 2000,
      }),
      lasting: versioned('lasting', 3, { staleIfErrorUntilMs: 1500 }),
      revalidate: versioned('revalidate', 4, { expiresAtMs, staleWhileRevalidateUntilMs: 2001 }),
    };
    const { dead } = await scanned(t, records, { expiredBeforeMs: 2000 });
    assert.deepEqual(dead, [{ key: 'gone', version: 2 }]);
  });

  it('finds by tag what hard purges took, and what soft ones have yet to make stale', async (t) => {
    const soft = { version: 14, prefix: '', isSoft: true, startedAtMs: 2000 };
    const marks = [
      { ...soft, tag: 'soft' },
      { version: 15, prefix: '', tag: 'hard' },
    ];
    const records = {
      hard: versioned('hard', 11, { tags: ['other', 'hard'] }),
      later: versioned('later', 16, { tags: ['soft', 'hard'] }),
      soft: versioned('soft', 12, { tags: ['soft'] }),
      'soft/stale': versioned('soft/stale', 13, {
        tags: ['soft'],
        expiresAtMs: 2000,
        staleIfErrorUntilMs: 9000,
      }),
    };
    const { dead, stale } = await scanned(t, records, { packed: packMarks(marks) });
    assert.deepEqual(dead, [{ key: 'hard', version: 11 }]);
    assert.deepEqual(stale, [{ key: 'soft', version: 12 }]);
  });

  it('begins where it is told, and looks at nothing outside its ranges', async (t) => {
    const names = ['a', 'b/1', 'b/2', 'c', 'd/1', 'e'];
    const records = Object.fromEntries(names.map((name) => [name, versioned(name, 1)]));
    const found = await scanned(t, records, {
      clearVersion: 1,
      ranges: [entryRange('b/'), entryRange('d/')],
      at: entryKey('b/2'),
    });
    assert.deepEqual(found, {
      scanned: 2,
      dead: [
        { key: 'b/2', version: 1 },
        { key: 'd/1', version: 1 },
      ],
      stale: [],
      next: undefined,
      share: 0,
    });
  });

  it('tells how much of the stretch lies behind it', async (t) => {
    const { directory, index } = await openedIndex(t);
    const record = versioned('any', 1);
    for (let from = 0; from < 20_000; from += 1000) {
      await index.batch(
        Array.from({ length: 1000 }, (_, nth) => {
          const key = entryKey(String(from + nth).padStart(5, '0'));
          return { type: 'put' as const, key, value: record };
        }),
      );
    }
    await index.compactRange(ENTRIES.gte, ENTRIES.lt);
    for (const [key, share] of [
      ['', 0],
      ['05', 0.25],
      ['10', 0.5],
      ['19', 0.95],
    ] as const) {
      const found = await scanEntries({
        indexPath: directory.indexPath,
        ranges: [ENTRIES],
        at: entryKey(key),
        entriesMax: 1,
        expiredBeforeMs: 0,
        clearVersion: 0,
        purges: [],
      });
      assert.ok(Math.abs(found.share - share) < 0.05, `${found.share} at ${key}`);
    }
  });

  it('finds records of which less than a head is left, with the version that the lane sees', async (t) => {
    const whole = versioned('whole', 3);
    const records = {
      a: Buffer.alloc(0),
      b: whole.subarray(0, 10),
      c: whole.subarray(0, 68),
      whole,
    };
    const { dead } = await scanned(t, records, {});
    assert.deepEqual(dead, [
      { key: 'a', version: 0 },
      { key: 'b', version: 3 },
      { key: 'c', version: 3 },
    ]);
  });

  it('ends a chunk where it was told, and says where the next begins', async (t) => {
    const names = Array.from({ length: 1200 }, (_, nth) => `key ${String(nth).padStart(4, '0')}`);
    const records = Object.fromEntries(names.map((name) => [name, versioned(name, 1)]));
    const first = await scanned(t, records, { entriesMax: 600, clearVersion: 1 });
    assert.equal(first.scanned, 600);
    assert.deepEqual(
      first.dead.map(({ key }) => key),
      names.slice(0, first.scanned),
    );
    const next = Buffer.from(first.next ?? []);
    assert.equal(Buffer.compare(entryKey(names[first.scanned - 1] ?? ''), next), -1);
    assert.equal(Buffer.compare(next, entryKey(names[first.scanned] ?? '')), -1);
  });
});

describe('a walk over the keys of a segment', () => {
  it('finds the records that point into it, and only those', async (t) => {
    const { directory, index } = await openedIndex(t);
    const log = newLog(directory.segmentsPath, new TestGrants(), 1024 * 1024);
    for (const key of ['here', 'moved', 'removed']) {
      (await appendTo(log, key, Buffer.from(key))).settle(true);
    }
    await index.put(entryKey('here'), versioned('here', 7, { segment: 1 }));
    await index.put(entryKey('moved'), versioned('moved', 8, { segment: 2 }));
    const { indexPath, segmentsPath } = directory;
    const segmentPath = join(segmentsPath, segmentFileName(1));
    const found = await walkSegment({ indexPath, segmentPath, segment: 1 });
    assert.deepEqual(found, {
      end: 327,
      isMissing: false,
      pointing: [{ key: 'here', version: 7 }],
    });
    await log.sealAll();
  });

  it('names at most 100 records, and has walked all', async (t) => {
    const { directory, index } = await openedIndex(t);
    const log = newLog(directory.segmentsPath, new TestGrants(), 1024 * 1024);
    const keys = Array.from({ length: 700 }, (_, nth) => `key ${nth}`);
    await Promise.all(
      keys.map(async (key) => (await appendTo(log, key, Buffer.from(key))).settle(true)),
    );
    for (const key of keys) await index.put(entryKey(key), versioned(key, 1, { segment: 1 }));
    const { indexPath, segmentsPath } = directory;
    const segmentPath = join(segmentsPath, segmentFileName(1));
    const { pointing } = await walkSegment({ indexPath, segmentPath, segment: 1 });
    assert.equal(pointing.length, 100);
    await log.sealAll();
  });

  it('finds nothing where the file was never made', async (t) => {
    const { directory } = await openedIndex(t);
    const segmentPath = join(directory.segmentsPath, segmentFileName(9));
    const found = await walkSegment({ indexPath: directory.indexPath, segmentPath, segment: 9 });
    assert.deepEqual(found, { end: 0, isMissing: true, pointing: [] });
  });
});
