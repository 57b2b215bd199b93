/** The store contract: preconditions, stale entries, parts of bodies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EntryRecord } from '../../../src/protocol/record.ts';
import { contentHashOf } from '../../../src/segments/content-hash.ts';
import { NO_BODY, type Precondition } from '../../../src/workers/store/store.ts';
import {
  assertBytes,
  bytesOf,
  inPieces,
  missReason,
  pattern,
  RAW_META,
  read,
  rejectsWith,
  type Subject,
} from './store-subject.ts';

const REFUSED = 'PRECONDITION_FAILED';
const absent: Precondition = (record) => record === undefined;
const present: Precondition = (record) => record !== undefined;
const isVersion =
  (version: number): Precondition =>
  (record) =>
    record?.version === version;

export function preconditions(subject: Subject): void {
  test('a write only where there is nothing stores the first, and refuses the second', async () => {
    const { store } = subject();
    assert.ok((await store.put('absent', RAW_META, Buffer.from('1'), absent)).created);
    await rejectsWith(store.put('absent', RAW_META, Buffer.from('2'), absent), REFUSED);
    assertBytes(await read(store, 'absent'), Buffer.from('1'), 'the first body');
    await store.delete('absent');
    await store.put('absent', RAW_META, Buffer.from('3'), absent);
  });

  test('of many writes only where there is nothing, exactly one takes place', async () => {
    const { store } = subject();
    const writes = Array.from({ length: 30 }, (_, nth) =>
      store.put('race', RAW_META, Buffer.from(`${nth}`), absent),
    );
    const outcomes = await Promise.allSettled(writes);
    const won = outcomes.findIndex(({ status }) => status === 'fulfilled');
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    assertBytes(await read(store, 'race'), Buffer.from(`${won}`), 'the body that won');
  });

  test('a write over one version is refused over any other, and where there is none', async () => {
    const { store } = subject();
    const first = await store.put('over', RAW_META, Buffer.from('1'));
    const second = await store.put('over', RAW_META, Buffer.from('2'), isVersion(first.version));
    assert.equal(second.created, false);
    const late = store.put('over', RAW_META, Buffer.from('3'), isVersion(first.version));
    await rejectsWith(late, REFUSED);
    await rejectsWith(store.put('none', RAW_META, Buffer.from('3'), present), REFUSED);
    assertBytes(await read(store, 'over'), Buffer.from('2'), 'the second body');
  });

  test('a write that is refused leaves a body that is still arriving alone', async () => {
    const { store } = subject();
    await store.put('taken', RAW_META, Buffer.from('1'));
    const body = inPieces(pattern(200_000), 1000);
    await rejectsWith(store.put('taken', RAW_META, body, absent), REFUSED);
    assert.equal((await body.next()).done, false, 'nobody has ended it');
    await body.return(undefined);
  });

  test('what is judged by its content may be written anew meanwhile', async () => {
    const { store } = subject();
    const body = Buffer.from('same');
    const hash = contentHashOf(body);
    await store.put('same', RAW_META, body);
    const isSame: Precondition = (record) => record?.etag?.equals(hash) ?? false;
    const writes = Array.from({ length: 5 }, () => store.put('same', RAW_META, body, isSame));
    await Promise.all(writes);
    assert.equal(await store.delete('same', isSame), true);
  });

  test('a removal is refused where the entry is another, or is not there', async () => {
    const { store } = subject();
    const { version } = await store.put('kept', RAW_META, Buffer.from('1'));
    await rejectsWith(store.delete('kept', isVersion(version + 1)), REFUSED);
    await rejectsWith(store.delete('none', present), REFUSED);
    assert.equal(await store.delete('kept', isVersion(version)), true);
  });
}

export function staleness(subject: Subject): void {
  const put = async (key: string, windows: Partial<EntryRecord>): Promise<void> => {
    const { store, now } = subject();
    await store.put(key, { ...RAW_META, expiresAtMs: now() - 1, ...windows }, Buffer.from(key));
  };
  const shown = async (key: string, stale?: 'while-revalidate' | 'if-error'): Promise<boolean> => {
    const found = await subject().store.get(key, stale === undefined ? {} : { stale });
    if (found.found) found.content.release();
    else assert.equal(found.reason, 'expired');
    return found.found;
  };

  test('a stale entry is shown to those alone who allow its window', async () => {
    const later = subject().now() + 60_000;
    await put('neither', {});
    await put('revalidate', { staleWhileRevalidateUntilMs: later });
    await put('error', { staleIfErrorUntilMs: later });
    const table: [string, boolean, boolean][] = [
      ['neither', false, false],
      ['revalidate', true, true],
      ['error', false, true],
    ];
    for (const [key, whileRevalidate, ifError] of table) {
      assert.equal(await shown(key), false, key);
      assert.equal(await shown(key, 'while-revalidate'), whileRevalidate, key);
      assert.equal(await shown(key, 'if-error'), ifError, key);
    }
  });

  test('a stale entry is present for conditions and removals, one past its windows is not', async () => {
    const { store, now } = subject();
    await put('stale', { staleIfErrorUntilMs: now() + 60_000 });
    await put('past', { staleIfErrorUntilMs: now() - 1 });
    await rejectsWith(store.put('stale', RAW_META, Buffer.from('x'), absent), REFUSED);
    assert.ok((await store.put('past', RAW_META, Buffer.from('x'), absent)).created);
    assert.equal(await store.delete('stale'), true);
    assert.equal(await missReason(store, 'stale'), 'never-seen');
  });
}

export function parts(subject: Subject): void {
  test('a range is those bytes of the body', async () => {
    const { store } = subject();
    for (const byteLength of [10, 70_000, 3 * 1024 * 1024]) {
      const body = pattern(byteLength);
      await store.put('part', RAW_META, body);
      for (const range of [
        { start: 0, end: 1 },
        { start: 3, end: byteLength },
        { start: byteLength - 1, end: byteLength },
      ]) {
        const empty = Buffer.alloc(0);
        const found = await store.get('part', {
          frame: () => ({ prologue: empty, epilogue: empty, range }),
        });
        assert.ok(found.found);
        const expected = body.subarray(range.start, range.end);
        assertBytes(await bytesOf(found.content), expected, `${range.start} to ${range.end}`);
      }
    }
  });

  test('where nothing of the body is wanted there is the record alone', async () => {
    const { store, unreleased } = subject();
    await store.put('bare', RAW_META, Buffer.from('body'));
    const found = await store.get('bare', { frame: () => NO_BODY });
    assert.ok(found.found);
    assert.equal(found.record.plainBytes, 4);
    assertBytes(await bytesOf(found.content), Buffer.alloc(0), 'nothing');
    assert.equal(unreleased?.() ?? 0, 0);
  });

  test('the hash of the content is in the record, however the body came', async () => {
    const { store } = subject();
    const body = pattern(2_000_000);
    const whole = await store.put('whole', RAW_META, body);
    const pieces = await store.put('pieces', RAW_META, inPieces(body, 100_000));
    assert.deepEqual(whole.contentHash, contentHashOf(body));
    assert.deepEqual(pieces.contentHash, contentHashOf(body));
    const record = (await store.find('pieces')) as EntryRecord;
    assert.deepEqual(Buffer.from(record.etag ?? []), contentHashOf(body));
  });
}
