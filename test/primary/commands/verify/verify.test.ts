/** Verification: sound stores are called sound, every kind of damage by its name, and nothing changes. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { appendFile, copyFile, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openStoppedStore } from '../../../../src/primary/directory/stopped-store.ts';
import {
  encodeNumber,
  entryKey,
  entryRange,
  metaKey,
  purgeKey,
  segmentKey,
} from '../../../../src/primary/store/index/index-keys.ts';
import {
  decodeSegmentStats,
  encodeSegmentStats,
} from '../../../../src/primary/store/segment-stats.ts';
import { encodeRecord, Kind } from '../../../../src/protocol/record.ts';
import { APPEND_HEADER_BYTES, occupiedBytesOf } from '../../../../src/segments/format.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import { JSON_META, pattern, RAW_META } from '../../../workers/store/store-subject.ts';
import {
  digests,
  filledStore,
  flip,
  leftovers,
  plainStore,
  recordIn,
  segmentPath,
  withIndex,
} from '../stopped-store-setup.ts';
import { finds, verify } from './verify-setup.ts';

const MiB = 2 ** 20;

describe('a store is sound', () => {
  it('when nothing happened to it, whatever was done to its entries, and verifying changes no byte', async (t) => {
    const path = await temporaryDirectory(t);
    let nowMs = Date.now() - 10_000;
    const fill: Parameters<typeof filledStore>[1] = async ({ store }) => {
      for (let nth = 0; nth < 200; nth++) {
        const meta = nth % 2 === 0 ? RAW_META : JSON_META;
        await store.put(`page/${nth % 150}`, meta, pattern(nth * 10, nth + 1));
      }
      await store.put('gone', { ...RAW_META, expiresAtMs: nowMs + 5 }, pattern(10));
      await store.put('empty', RAW_META, Buffer.alloc(0));
      await store.put('long', RAW_META, pattern(3 * MiB));
      await store.delete('page/1');
      nowMs += 1000;
    };
    await filledStore(path, fill, () => nowMs);
    const before = await digests(path);
    for (const fast of [false, true]) {
      const { notes, document } = await finds(path, {}, fast);
      assert.deepEqual(notes, {});
      assert.equal(document.records?.['readable'], 151);
      assert.equal(document.records?.['expired'], 1);
      assert.equal(document.segments['appends'], 203);
      assert.equal((document.segments['bodyBytesRead'] ?? 0) > 3 * MiB, !fast);
    }
    assert.deepEqual(await digests(path), before);
    assert.deepEqual(await leftovers(path), []);
  });

  it('when it is empty', async (t) => {
    const path = await temporaryDirectory(t);
    await filledStore(path, async () => undefined);
    await finds(path, {});
  });

  it('while purges and a clear are still being worked off', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 20);
    // The records stay: nobody runs who would remove them.
    await withIndex(path, async (index) => {
      const version = Number((await index.get(metaKey('versions')))?.readBigUInt64LE(0)) - 1;
      const { encodePurge } = await import('../../../../src/primary/store/purges/purge-record.ts');
      const { newPurge } = await import('../../../../src/primary/store/purges/purges.ts');
      const purge = newPurge({ version, prefix: 'page/1', startedAtMs: 1 });
      await index.put(purgeKey(version), encodePurge(purge));
    });
    const { document } = await finds(path, {});
    assert.equal(document.records?.['purged'], 11);
    await filledStore(path, async ({ store }) => store.clear());
    await finds(path, {});
  });

  it('after its writer was killed: cut appends and zeros at the end are noted', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 10);
    const file = segmentPath(path, 1);
    const whole = await readFile(file);
    const copy = join(path, '.copy');
    await copyFile(file, copy);
    for (const torn of [Buffer.from('BCA'), whole.subarray(64, 64 + 500), Buffer.alloc(5000)]) {
      await copyFile(copy, file);
      await appendFile(file, torn);
      const { notes } = await finds(path, {});
      assert.deepEqual(notes, { 'torn-tail': 1 });
    }
  });
});

describe('damage in a segment is found', () => {
  it('in a body, unless bodies are left out', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    for (const key of ['page/7', 'long']) {
      const { pointer, storedBytes } = await recordIn(path, key);
      await flip(segmentPath(path, pointer.segment), pointer.offset + storedBytes - 1);
    }
    const { document } = await finds(path, { 'body-damaged': 2 });
    const examples = document.problems[0]?.examples.join('\n') ?? '';
    assert.match(examples, /^"page\/7": segment 1, 1000 bytes from \d+ on\n"long": /);
    await finds(path, {}, true);
  });

  it('in a long body that is verified piece by piece', async (t) => {
    const path = await temporaryDirectory(t);
    await filledStore(path, async ({ store }) => {
      await store.put('long', RAW_META, pattern(5 * MiB + 1));
    });
    const { pointer } = await recordIn(path, 'long');
    await flip(segmentPath(path, pointer.segment), pointer.offset + 5 * MiB);
    await finds(path, { 'body-damaged': 1 });
  });

  it('in header, key, table and meta of an append, and the appends behind it are still checked', async (t) => {
    for (const place of ['magic', 'kind', 'reserved', 'key', 'table', 'meta'] as const) {
      const path = await temporaryDirectory(t);
      await plainStore(path);
      const { pointer, storedBytes } = await recordIn(path, 'page/7');
      const begin = pointer.offset - APPEND_HEADER_BYTES - 'page/7'.length;
      const table = pointer.offset + storedBytes;
      // Reserved bytes mean nothing; the checksum behind them does.
      const at = { magic: 0, kind: 4, reserved: 44, key: 48, table: table - begin, meta: 0 }[place];
      await flip(segmentPath(path, 1), begin + (place === 'meta' ? table + 12 - begin : at));
      const { notes } = await finds(path, { 'append-missing': 1 });
      assert.deepEqual(notes, { 'segment-damaged': 1 }, place);
    }
  });

  it('in the lengths of an append, which end what can be walked, and no sound entry is blamed', async (t) => {
    for (const at of [6, 8, 12, 18]) {
      const path = await temporaryDirectory(t);
      await plainStore(path);
      const { pointer } = await recordIn(path, 'page/7');
      const begin = pointer.offset - APPEND_HEADER_BYTES - 'page/7'.length;
      await flip(segmentPath(path, 1), begin + at);
      await flip(segmentPath(path, 1), (await recordIn(path, 'page/30')).pointer.offset);
      const { notes } = await finds(path, { 'append-missing': 1, 'body-damaged': 1 });
      assert.deepEqual(notes, { 'segment-damaged': 1 });
    }
  });

  it('once for each entry, also where a segment is looked through a second time', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    const bodyOf = async (key: string): Promise<number> =>
      (await recordIn(path, key)).pointer.offset;
    await flip(segmentPath(path, 1), await bodyOf('page/3'));
    await flip(segmentPath(path, 1), (await bodyOf('page/7')) - 1);
    await flip(segmentPath(path, 1), await bodyOf('page/30'));
    const { document } = await finds(path, { 'body-damaged': 2, 'append-missing': 1 });
    const examples = document.problems.flatMap((problem) => problem.examples);
    assert.deepEqual(
      examples.map((example) => example.split(':')[0]),
      ['"page/3"', '"page/30"', '"page/7"'],
    );
  });

  it('where a file was cut, by each entry that is lost', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    const { pointer } = await recordIn(path, 'page/30');
    await truncate(segmentPath(path, 1), pointer.offset + 500);
    await finds(path, { 'append-missing': 11 });
  });

  it('in the header of a file', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    await flip(segmentPath(path, 1), 30);
    await finds(path, { 'segment-header-damaged': 1 });
  });

  it('where a file is missing, or is another one', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    await filledStore(path, async ({ store }) => void (await store.put('b', RAW_META, pattern(9))));
    await copyFile(segmentPath(path, 1), segmentPath(path, 2));
    await finds(path, { 'segment-header-damaged': 1, 'append-missing': 1 });
    await rm(segmentPath(path, 1));
    const { document } = await verify(path);
    const missing = document.problems.find(({ kind }) => kind === 'segment-missing');
    assert.deepEqual(missing?.examples, ['00000001.seg: 41 entries']);
  });

  it('in a body that no entry needs, as a note', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    const { pointer } = await recordIn(path, 'page/7');
    await filledStore(path, async ({ store }) => {
      await store.put('page/7', RAW_META, pattern(10));
    });
    await flip(segmentPath(path, 1), pointer.offset);
    const { notes } = await finds(path, {});
    assert.deepEqual(notes, { 'unused-body-damaged': 1 });
  });

  it('where a file lies that nobody knows', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 3);
    await writeFile(segmentPath(path, 77), 'whose');
    await writeFile(join(path, 'segments', 'notes.txt'), 'whose');
    await finds(path, { 'stray-file': 2 });
  });
});

describe('damage in the index is found', () => {
  it('in a record: bits, length, a record under the key of another', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    await withIndex(path, async (index) => {
      const flipped = Buffer.from((await index.get(entryKey('page/1'))) ?? '');
      flipped[20] = (flipped[20] ?? 0) ^ 1;
      await index.put(entryKey('page/1'), flipped);
      await index.put(entryKey('page/2'), (await index.get(entryKey('page/3'))) ?? flipped);
    });
    const found = await finds(path, { 'record-damaged': 2, 'accounting-wrong': 1 });
    assert.equal(found.document.records?.['damaged'], 2);
    await withIndex(path, (index) => index.put(entryKey('page/4'), Buffer.alloc(3)));
    await finds(path, { 'record-damaged': 3, 'count-wrong': 1, 'accounting-wrong': 1 });
  });

  it('in a record that points elsewhere, or says otherwise than its append', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    const record = await recordIn(path, 'page/1');
    const put = (key: string, change: object): Promise<void> =>
      withIndex(path, (index) =>
        index.put(entryKey(key), encodeRecord(Buffer.from(key), { ...record, ...change })),
      );
    await put('page/1', { kind: Kind.json });
    await finds(path, { 'append-differs': 1 });
    await put('page/1', { pointer: { segment: 1, offset: 20 } });
    await finds(path, { 'append-missing': 1 });
    await put('page/1', { pointer: { segment: 9, offset: 100 } });
    await finds(path, { 'segment-unknown': 1, 'accounting-wrong': 1 });
  });

  it('in the count and in the accounting of a segment', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    let occupiedBytes = 0;
    await withIndex(path, async (index) => {
      for await (const [key, record] of index.iterator(entryRange(''))) {
        occupiedBytes += occupiedBytesOf(key.length - 1, record);
      }
      await index.put(metaKey('count'), encodeNumber('count', 40));
      const stats = decodeSegmentStats(1, Buffer.from((await index.get(segmentKey(1))) ?? ''));
      await index.put(segmentKey(1), encodeSegmentStats({ ...stats, bytesLive: 1 }));
    });
    const { document } = await finds(path, { 'count-wrong': 1, 'accounting-wrong': 1 });
    const examples = document.problems.flatMap((problem) => problem.examples);
    assert.deepEqual(examples, [
      '41 entries, and the index says 40',
      `segment 1: bytes ${occupiedBytes}, accounted 1`,
    ]);
  });

  it('in numbers that would be given twice', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 3);
    await withIndex(path, async (index) => {
      await index.put(metaKey('versions'), encodeNumber('versions', 2 ** 32));
      await index.put(metaKey('next-segment'), encodeNumber('next-segment', 1));
    });
    await finds(path, { 'numbering-wrong': 2 });
  });

  it('in what it keeps beside entries', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 3);
    await withIndex(path, async (index) => {
      await index.put(metaKey('clear'), Buffer.from('short'));
      await index.put(purgeKey(5), Buffer.from([0xc1]));
      await index.put(segmentKey(50), Buffer.from('short'));
      await index.put(Buffer.from('zebra'), Buffer.from('1'));
    });
    await finds(path, { 'state-damaged': 3, 'index-key-unknown': 1 });
  });

  it('in its files: CURRENT, MANIFEST, tables, sentinel; then the segments are checked alone', async (t) => {
    const damages: ((index: string, name: (pattern: RegExp) => string) => Promise<void>)[] = [
      (index) => rm(join(index, 'CURRENT')),
      (_, name) => truncate(name(/^MANIFEST/), 20),
      (_, name) => rm(name(/\.ldb$/)),
      (index) => rm(index, { recursive: true }).then(() => mkdir(index)),
    ];
    for (const [nth, damage] of damages.entries()) {
      const path = await temporaryDirectory(t);
      await plainStore(path, 5);
      // A second opening turns the log into a table.
      await filledStore(path, async () => undefined);
      const index = join(path, 'index');
      await damage(index, (pattern) => {
        const found = readdirSync(index).find((file) => pattern.test(file));
        assert.ok(found !== undefined, `a file like ${pattern}`);
        return join(index, found);
      });
      if (nth === 3) {
        await assert.rejects(openStoppedStore(path), /no index; .*bigcache rebuild/);
        continue;
      }
      const before = await digests(path);
      const { document, problems } = await verify(path);
      assert.equal(document.records, null);
      assert.ok('index-unreadable' in problems || 'index-not-as-stored' in problems);
      assert.equal(document.segments['appends'], 6);
      assert.deepEqual(await digests(path), before);
      assert.deepEqual(await leftovers(path), []);
    }
  });

  it('in a block of a table, although its records are found damaged themselves', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path);
    await withIndex(path, (index) => index.compactRange(Buffer.from('a'), Buffer.from('z')));
    const table = readdirSync(join(path, 'index')).find((name) => name.endsWith('.ldb'));
    assert.ok(table !== undefined);
    const content = await readFile(join(path, 'index', table));
    // A byte of the content type, deep in a record: LevelDB itself notices nothing.
    await flip(join(path, 'index', table), content.indexOf('text/plain'));
    const { problems } = await verify(path);
    // A damaged record cannot say for which segment it counts.
    const expected = { 'table-damaged': 1, 'record-damaged': 1, 'accounting-wrong': 1 };
    assert.deepEqual(problems, expected);
  });

  it('in its log, of which LevelDB drops what it cannot read', async (t) => {
    const path = await temporaryDirectory(t);
    await plainStore(path, 5);
    const log = readdirSync(join(path, 'index')).find((name) => name.endsWith('.log'));
    assert.ok(log !== undefined);
    await flip(join(path, 'index', log), 300);
    const { problems } = await verify(path);
    assert.ok((problems['log-dropped'] ?? 0) >= 1);
  });
});
