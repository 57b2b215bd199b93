/** The store contract: single entries, expiry, prefixes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EntryRecord, Kind } from '../../../src/protocol/record.ts';
import type { Store } from '../../../src/workers/store/store.ts';
import {
  assertBytes,
  bytesOf,
  inPieces,
  JSON_META,
  missReason,
  pattern,
  RAW_META,
  read,
  type Subject,
} from './store-subject.ts';

export function entries(subject: Subject): void {
  test('a key that was never written is a miss', async () => {
    const { store } = subject();
    assert.deepEqual(await store.get('nothing'), { found: false, reason: 'never-seen' });
    assert.deepEqual(await store.find('nothing'), { found: false, reason: 'never-seen' });
  });

  test('what was put comes back byte for byte, with its record', async () => {
    const { store } = subject();
    const meta = { ...JSON_META, expiresAtMs: 9e12, expire: 9e9 + 0.5, duration: '28ds' };
    const stored = await store.put('a/b', meta, Buffer.from('"é"'));
    assert.deepEqual([stored.created, stored.plainBytes], [true, 4]);
    const found = await store.get('a/b');
    assert.ok(found.found);
    assert.equal((await bytesOf(found.content)).toString(), '"é"');
    for (const record of [found.record, (await store.find('a/b')) as EntryRecord]) {
      assert.equal(record.version, stored.version);
      assert.equal(record.plainBytes, 4);
      const { kind, expiresAtMs, expire, duration, contentType } = record;
      assert.deepEqual({ kind, expiresAtMs, expire, duration, contentType }, meta);
    }
  });

  test('an overwrite replaces body and record under a higher version', async () => {
    const { store } = subject();
    const first = await store.put('over', JSON_META, Buffer.from('1'));
    const second = await store.put('over', RAW_META, Buffer.from('two'));
    assert.equal(second.created, false);
    assert.ok(second.version > first.version);
    assertBytes(await read(store, 'over'), Buffer.from('two'), 'the second body');
    assert.equal(((await store.find('over')) as EntryRecord).kind, Kind.raw);
  });

  test('an empty body is an entry', async () => {
    const { store } = subject();
    await store.put('empty', RAW_META, Buffer.alloc(0));
    await store.put('empty-stream', RAW_META, inPieces(Buffer.alloc(0), 1));
    assertBytes(await read(store, 'empty'), Buffer.alloc(0), 'an empty Buffer');
    assertBytes(await read(store, 'empty-stream'), Buffer.alloc(0), 'an empty stream');
  });

  test('delete removes one entry, and says whether there was one', async () => {
    const { store } = subject();
    await store.put('gone', JSON_META, Buffer.from('1'));
    assert.equal(await store.delete('gone'), true);
    assert.equal(await store.delete('gone'), false);
    assert.equal(await read(store, 'gone'), undefined);
    assert.equal((await store.put('gone', JSON_META, Buffer.from('2'))).created, true);
  });

  test('keys are told apart by every byte', async () => {
    const { store } = subject();
    const keys = [
      'k',
      'K',
      'k/1',
      'k?y=1',
      'k?x=1',
      'k?x=2',
      '한'.normalize('NFC'),
      '한'.normalize('NFD'),
    ];
    keys.push('\u{1F418}', '__proto__', 'constructor', '\u{10FFFF}', 'x'.repeat(8192));
    for (const [at, key] of keys.entries()) await store.put(key, RAW_META, Buffer.from(`${at}`));
    for (const [at, key] of keys.entries()) {
      assertBytes(await read(store, key), Buffer.from(`${at}`), key.slice(0, 20));
    }
  });

  test('a content may be released twice, and its store goes on', async () => {
    const { store, unreleased } = subject();
    await store.put('twice', RAW_META, pattern(5000));
    const found = await store.get('twice');
    assert.ok(found.found);
    found.content.release();
    found.content.release();
    const [one, other] = await Promise.all([store.get('twice'), store.get('twice')]);
    assert.ok(one.found && other.found);
    assertBytes(await bytesOf(one.content), pattern(5000), 'one reader');
    assertBytes(await bytesOf(other.content), pattern(5000), 'the other reader');
    assert.equal(unreleased?.() ?? 0, 0);
  });

  test('count follows what is written and removed, and clear removes everything', async () => {
    const { store } = subject();
    await store.clear();
    assert.equal(await store.count(), 0);
    for (const key of ['c/1', 'c/2', 'c/2', 'd']) await store.put(key, RAW_META, Buffer.from(key));
    assert.equal(await store.count(), 3);
    await store.delete('d');
    assert.equal(await store.count(), 2);
    await store.clear();
    assert.equal(await store.count(), 0);
    assert.equal(await read(store, 'c/1'), undefined);
    await Promise.all([store.clear(), store.clear()]);
    await store.put('c/1', RAW_META, Buffer.from('again'));
    assert.equal(await store.count(), 1);
    assertBytes(await read(store, 'c/1'), Buffer.from('again'), 'written after the clear');
  });
}

export function expiry(subject: Subject): void {
  const advance = async (ms: number): Promise<void> => {
    const { advance: move } = subject();
    if (move === undefined) await new Promise((resolve) => setTimeout(resolve, ms));
    else move(ms);
  };

  test('an entry is a hit until its time has come, and expired from then on', async () => {
    const { store, now } = subject();
    const expiresAtMs = now() + 400;
    await store.put('soon', { ...RAW_META, expiresAtMs }, Buffer.from('x'));
    assertBytes(await read(store, 'soon'), Buffer.from('x'), 'before its time');
    await advance(expiresAtMs - 100 - now());
    if (now() < expiresAtMs) assert.equal(await missReason(store, 'soon'), 'found');
    await advance(expiresAtMs - now());
    assert.equal(await missReason(store, 'soon'), 'expired');
    assert.deepEqual(await store.find('soon'), { found: false, reason: 'expired' });
  });

  test('expiry is exact to the millisecond', async () => {
    const { store, now, advance: move } = subject();
    if (move === undefined) return;
    await store.put('exact', { ...RAW_META, expiresAtMs: now() + 10 }, Buffer.from('x'));
    move(9);
    assert.equal(await missReason(store, 'exact'), 'found');
    move(1);
    assert.equal(await missReason(store, 'exact'), 'expired');
  });

  test('an entry whose time has passed already is stored, and expired', async () => {
    const { store } = subject();
    await store.put('past', { ...RAW_META, expiresAtMs: 1 }, Buffer.from('x'));
    assert.equal(await missReason(store, 'past'), 'expired');
    const again = await store.put('past', RAW_META, Buffer.from('y'));
    assert.equal(again.created, true);
    assertBytes(await read(store, 'past'), Buffer.from('y'), 'written again');
  });

  test('deleting an expired entry finds nothing that could be read', async () => {
    const { store } = subject();
    await store.put('past/1', { ...RAW_META, expiresAtMs: 1 }, Buffer.from('x'));
    assert.equal(await store.delete('past/1'), false);
    await store.put('past/2', { ...RAW_META, expiresAtMs: 1 }, Buffer.from('x'));
    assert.equal(await store.deletePrefix('past/'), 0);
  });
}

export function prefixes(subject: Subject): void {
  const fill = async (store: Store, keys: readonly string[]): Promise<void> => {
    for (const key of keys) await store.put(key, RAW_META, Buffer.from(key));
  };
  const readable = async (store: Store, keys: readonly string[]): Promise<string[]> => {
    const found: string[] = [];
    for (const key of keys) if ((await read(store, key)) !== undefined) found.push(key);
    return found;
  };

  test('a prefix with a slash at its end spares its longer neighbours', async () => {
    const { store } = subject();
    const keys = ['a', 'a/1', 'a/2/3', 'ab', 'b/a/1'];
    await fill(store, keys);
    assert.equal(await store.deletePrefix('a/'), 2);
    assert.deepEqual(await readable(store, keys), ['a', 'ab', 'b/a/1']);
    assert.equal(await store.deletePrefix('a'), 2);
    assert.deepEqual(await readable(store, keys), ['b/a/1']);
    assert.equal(await store.deletePrefix('a'), 0);
  });

  test('a prefix matches by bytes, up to the last code point', async () => {
    const { store } = subject();
    const keys = ['p\u{10FFFF}', 'p\u{10FFFF}\u{10FFFF}', 'p\u{10FFFE}', 'q', 'p', '한글', '한국'];
    await fill(store, keys);
    assert.equal(await store.deletePrefix('p\u{10FFFF}'), 2);
    assert.deepEqual(await readable(store, keys), ['p\u{10FFFE}', 'q', 'p', '한글', '한국']);
    assert.equal(await store.deletePrefix('한'), 2);
    assert.equal(await store.deletePrefix('\u{10FFFF}'), 0);
  });

  test('what is written after a prefix was removed stays', async () => {
    const { store } = subject();
    await fill(store, ['w/1', 'w/2']);
    await store.deletePrefix('w/');
    assert.equal((await store.put('w/1', RAW_META, Buffer.from('new'))).created, true);
    assert.deepEqual(await readable(store, ['w/1', 'w/2']), ['w/1']);
    assert.equal(await store.deletePrefix('w/'), 1);
  });

  test('two removals at once are both right', async () => {
    const { store } = subject();
    const keys = Array.from({ length: 200 }, (_, index) => `t/${index % 2}/${index}`);
    await fill(store, [...keys, 'u']);
    const counts = await Promise.all([store.deletePrefix('t/0/'), store.deletePrefix('t/1/')]);
    assert.deepEqual(counts, [100, 100]);
    assert.deepEqual(await readable(store, [...keys, 'u']), ['u']);
  });
}
