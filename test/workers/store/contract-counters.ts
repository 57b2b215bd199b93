/** The store contract: touching, counters, and the listing of entries. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INTEGER_MAX, INTEGER_MIN } from '../../../src/protocol/counter.ts';
import type { PurgeOrder } from '../../../src/protocol/purge.ts';
import { type EntryRecord, Kind } from '../../../src/protocol/record.ts';
import { contentHashOf } from '../../../src/segments/content-hash.ts';
import { eventually } from '../../eventually.ts';
import {
  assertBytes,
  bytesOf,
  JSON_META,
  missReason,
  pattern,
  RAW_META,
  read,
  rejectsWith,
  type Subject,
} from './store-subject.ts';

const ONE = { by: 1n, initial: 0n, ttlMs: 0 };
const SOFT: PurgeOrder = { selector: { prefix: 'soft/' }, isSoft: true, isDryRun: false };

/** How a group tells the time, and goes on in it. */
function clockOf(subject: Subject) {
  const { now, advance } = subject();
  assert.ok(advance !== undefined, 'the clock is given');
  return { now, advance };
}

export function touching(subject: Subject): void {
  const found = async (key: string): Promise<EntryRecord> => {
    const record = await subject().store.find(key);
    assert.ok(!('found' in record), `${key} is there`);
    return record;
  };

  test('a touch gives a new lifetime, and changes nothing else', async () => {
    const { store } = subject();
    const { now, advance } = clockOf(subject);
    const meta = { ...JSON_META, tags: ['t'], costMs: 7, expire: now() / 1000 + 5, duration: '5s' };
    const stored = await store.put('t', { ...meta, expiresAtMs: now() + 5000 }, Buffer.from('1'));
    const before = await found('t');
    advance(3000);
    assert.equal(await store.touch('t', 10_000), true);
    const after = await found('t');
    const expiresAtMs = now() + 10_000;
    const expire = expiresAtMs / 1000;
    assert.deepEqual(after, { ...before, expiresAtMs, expire, duration: null });
    assert.equal(after.version, stored.version);
    advance(9999);
    assert.equal(await missReason(store, 't'), 'found');
    advance(1);
    assert.equal(await missReason(store, 't'), 'expired');
    assert.equal(await store.touch('t', 1000), false, 'what has expired is not there');
  });

  test('a touch may be for ever, and for a time again', async () => {
    const { store } = subject();
    const { now } = clockOf(subject);
    await store.put('ever', { ...RAW_META, expiresAtMs: now() + 1000 }, Buffer.from('x'));
    await store.touch('ever', 0);
    assert.deepEqual([(await found('ever')).expiresAtMs, (await found('ever')).expire], [0, null]);
    await store.touch('ever', 2000);
    assert.equal((await found('ever')).expiresAtMs, now() + 2000);
  });

  test('windows keep their lengths; what is in one of them is not touched', async () => {
    const { store } = subject();
    const { now, advance } = clockOf(subject);
    const expiresAtMs = now() + 1000;
    const meta = { ...RAW_META, expiresAtMs, staleIfErrorUntilMs: expiresAtMs + 60_000 };
    await store.put('window', meta, Buffer.from('x'));
    await store.touch('window', 5000);
    const { staleWhileRevalidateUntilMs, staleIfErrorUntilMs } = await found('window');
    assert.deepEqual([staleWhileRevalidateUntilMs, staleIfErrorUntilMs], [0, now() + 65_000]);
    advance(5000);
    assert.equal(await store.touch('window', 5000), false);
  });

  test('a touch finds nothing where there is nothing, and takes back no purge', async () => {
    const { store } = subject();
    assert.equal(await store.touch('none', 1000), false);
    await store.put('soft/a', RAW_META, Buffer.from('x'));
    await store.purge(SOFT);
    assert.equal(await store.touch('soft/a', 1000), false);
    await store.deletePrefix('soft/');
    assert.equal(await store.touch('soft/a', 1000), false);
  });

  test('a touch is no write: what is asked of the version still holds', async () => {
    const { store } = subject();
    const { version } = await store.put('same', RAW_META, Buffer.from('x'));
    await store.touch('same', 1000);
    const isSame = (record: EntryRecord | undefined) => record?.version === version;
    await store.put('same', RAW_META, Buffer.from('y'), isSame);
    assertBytes(await read(store, 'same'), Buffer.from('y'), 'the new body');
  });
}

export function counters(subject: Subject): void {
  test('a counter begins with initial, and counts up and down', async () => {
    const { store } = subject();
    assert.equal(await store.increment('n', { ...ONE, initial: 10n, by: 5n }), 15n);
    assert.equal(await store.increment('n', { ...ONE, initial: 99n }), 16n);
    assert.equal(await store.increment('n', { ...ONE, by: -20n }), -4n);
    assert.equal(await store.increment('n', { ...ONE, by: 0n }), -4n);
    assertBytes(await read(store, 'n'), Buffer.from('-4'), 'its digits');
  });

  test('of many at once none is lost', async () => {
    const { store } = subject();
    const values = await Promise.all(
      Array.from({ length: 200 }, () => store.increment('many', ONE)),
    );
    const sorted = values.toSorted((one, other) => Number(one - other));
    assert.deepEqual(
      sorted,
      Array.from({ length: 200 }, (_, nth) => BigInt(nth + 1)),
    );
  });

  test('a counter is a JSON entry with the tag of its digits, shown in any frame', async () => {
    const { store, now, unreleased } = subject();
    await store.increment('shown', { ...ONE, by: 42n, ttlMs: 60_000 });
    const frames = [
      [{ prologue: Buffer.from('<'), epilogue: Buffer.from('>') }, '<42>'],
      [{ prologue: Buffer.alloc(0), epilogue: Buffer.alloc(0), range: { start: 1, end: 2 } }, '2'],
    ] as const;
    for (const [framing, expected] of frames) {
      const hit = await store.get('shown', { frame: () => framing });
      assert.ok(hit.found);
      assert.equal((await bytesOf(hit.content)).toString(), expected);
      const { kind, etag, plainBytes, expiresAtMs, expire, contentEncoding } = hit.record;
      assert.deepEqual([kind, plainBytes, contentEncoding], [Kind.json, 2, null]);
      assert.ok(etag?.equals(contentHashOf(Buffer.from('42'))));
      assert.deepEqual([expiresAtMs, expire], [now() + 60_000, (now() + 60_000) / 1000]);
    }
    assert.ok((unreleased?.() ?? 0) === 0);
  });

  test('a lifetime is given at creation alone; what has expired or is stale begins anew', async () => {
    const { store } = subject();
    const { now, advance } = clockOf(subject);
    const order = { by: 1n, initial: 0n, ttlMs: 1000 };
    await store.increment('brief', order);
    advance(900);
    assert.equal(await store.increment('brief', order), 2n);
    advance(100);
    assert.equal(await missReason(store, 'brief'), 'expired');
    assert.equal(await store.increment('brief', order), 1n);
    assert.equal(await store.touch('brief', 5000), true);
    advance(4999);
    assert.equal(await store.increment('brief', order), 2n);
    const stale = { expiresAtMs: now() + 1, staleIfErrorUntilMs: now() + 60_000 };
    await store.put('stale', { ...JSON_META, ...stale }, Buffer.from('7'));
    advance(1);
    assert.equal(await store.increment('stale', ONE), 1n);
    await store.increment('soft/n', { ...ONE, by: 5n });
    await store.purge(SOFT);
    assert.equal(await store.increment('soft/n', ONE), 1n);
  });

  test('an entry that is an integer is counted on with, and keeps what is said about it', async () => {
    const { store, now } = subject();
    const expiresAtMs = now() + 60_000;
    const meta = { ...RAW_META, expiresAtMs, tags: ['a', 'b'], costMs: 12 };
    const { version } = await store.put('text', meta, Buffer.from('41'));
    assert.equal(await store.increment('text', { ...ONE, ttlMs: 5 }), 42n);
    const record = await store.find('text');
    assert.ok(!('found' in record) && record.version > version);
    const { kind, contentType, tags, costMs } = record;
    assert.deepEqual(
      [kind, contentType, tags, costMs, record.expiresAtMs],
      [Kind.raw, 'text/plain', ['a', 'b'], 12, expiresAtMs],
    );
    await store.put('text', meta, Buffer.from('-7'));
    assert.equal(await store.increment('text', ONE), -6n);
  });

  test('an entry that is no integer is refused and stays as it is', async () => {
    const { store } = subject();
    const bodies = ['', ' 1', '1.0', '1e3', '01', '+1', '--1', '"1"', '9223372036854775808', 'x'];
    for (const body of bodies) {
      await store.put('other', JSON_META, Buffer.from(body));
      await rejectsWith(store.increment('other', ONE), 'NOT_AN_INTEGER');
      assertBytes(await read(store, 'other'), Buffer.from(body), body);
    }
    await store.put('large', RAW_META, pattern(2_000_000));
    await rejectsWith(store.increment('large', ONE), 'NOT_AN_INTEGER');
  });

  test('a counter stays within 64 bits', async () => {
    const { store } = subject();
    assert.equal(await store.increment('max', { ...ONE, by: INTEGER_MAX }), INTEGER_MAX);
    await rejectsWith(store.increment('max', ONE), 'COUNTER_OVERFLOW');
    assertBytes(await read(store, 'max'), Buffer.from('9223372036854775807'), 'it stays');
    assert.equal(await store.increment('max', { ...ONE, by: INTEGER_MIN }), -1n);
    assert.equal(await store.increment('max', { ...ONE, by: INTEGER_MIN + 1n }), INTEGER_MIN);
    await rejectsWith(store.increment('max', { ...ONE, by: -1n }), 'COUNTER_OVERFLOW');
    const unborn = { by: 1n, initial: INTEGER_MAX, ttlMs: 0 };
    await rejectsWith(store.increment('unborn', unborn), 'COUNTER_OVERFLOW');
    assert.equal(await missReason(store, 'unborn'), 'never-seen');
  });

  test('a counter is written over, removed, purged and counted like any entry', async () => {
    const { store } = subject();
    const before = await store.count();
    await store.increment('gone/1', ONE);
    await store.increment('gone/2', ONE);
    assert.equal(await store.count(), before + 2);
    assert.equal(await store.delete('gone/1'), true);
    assert.equal(await store.deletePrefix('gone/'), 1);
    assert.equal(await missReason(store, 'gone/2'), 'purged');
    await store.increment('gone/3', ONE);
    assert.equal((await store.put('gone/3', RAW_META, Buffer.from('body'))).created, false);
    assertBytes(await read(store, 'gone/3'), Buffer.from('body'), 'the body over it');
  });

  test('counting is a write: it ends a lease, and who waits gets the counter', async () => {
    const { store } = subject();
    const { token } = await store.getLeased('lease', {}, { leaseMs: 30_000, waitMs: 0 });
    let isWaiting = false;
    const onWait = (): void => {
      isWaiting = true;
    };
    const waiting = store.getLeased('lease', {}, { leaseMs: 30_000, waitMs: 20_000, onWait });
    await eventually(() => isWaiting);
    await store.increment('lease', { ...ONE, by: 3n });
    const { found } = await waiting;
    assert.ok(found.found);
    assert.equal((await bytesOf(found.content)).toString(), '3');
    const late = store.put('lease', RAW_META, Buffer.from('late'), undefined, token);
    await rejectsWith(late, 'LEASE_LOST');
  });
}

export function listing(subject: Subject): void {
  test('entries are listed in the order of the bytes of their keys, page by page', async () => {
    const { store } = subject();
    const keys = ['a', 'a/b', 'a?x=1', 'ab', 'é', '\ufffdz', '\u{1f600}', 'z'];
    for (const key of keys) await store.put(key, { ...RAW_META, tags: ['t'] }, Buffer.from(key));
    await store.increment('n', ONE);
    const sorted = [...keys, 'n'].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const limit of [1, 2, 9, 1000]) {
      const listed: string[] = [];
      let after = '';
      for (let pages = 0; pages < 20; pages++) {
        const page = await store.list({ prefix: '', after, limit });
        assert.ok(page.entries.length <= limit);
        for (const { key, record } of page.entries) {
          listed.push(key);
          assert.equal(record.plainBytes, key === 'n' ? 1 : Buffer.byteLength(key));
        }
        if (page.next === undefined) break;
        after = page.next;
      }
      assert.deepEqual(listed, sorted);
    }
    const { entries } = await store.list({ prefix: 'a', after: 'a', limit: 10 });
    assert.deepEqual(
      entries.map(({ key }) => key),
      ['a/b', 'a?x=1', 'ab'],
    );
    assert.deepEqual(await store.list({ prefix: 'none', after: '', limit: 10 }), {
      entries: [],
      next: undefined,
    });
  });

  test('what is expired, removed or purged is not listed, what is stale is', async () => {
    const { store } = subject();
    const { now, advance } = clockOf(subject);
    const body = Buffer.from('x');
    const expiresAtMs = now() + 10;
    await store.put('l/expired', { ...RAW_META, expiresAtMs }, body);
    const windows = { staleIfErrorUntilMs: now() + 60_000 };
    await store.put('l/stale', { ...RAW_META, expiresAtMs, ...windows }, body);
    for (const key of ['l/fresh', 'l/gone', 'l/purged/1']) await store.put(key, RAW_META, body);
    await store.put('soft/listed', RAW_META, body);
    await store.delete('l/gone');
    await store.deletePrefix('l/purged/');
    await store.purge(SOFT);
    advance(10);
    const keysOf = async (prefix: string) =>
      (await store.list({ prefix, after: '', limit: 10 })).entries;
    assert.deepEqual(
      (await keysOf('l/')).map(({ key }) => key),
      ['l/fresh', 'l/stale'],
    );
    const [soft] = await keysOf('soft/');
    assert.ok(soft !== undefined && soft.record.expiresAtMs <= now(), 'it is shown as stale');
  });

  test('nothing is listed, touched or counted while the store is closed', async () => {
    const { store } = subject();
    await store.close();
    await rejectsWith(store.list({ prefix: '', after: '', limit: 1 }), 'STORE_CLOSED');
    await rejectsWith(store.touch('a', 1), 'STORE_CLOSED');
    await rejectsWith(store.increment('n', ONE), 'STORE_CLOSED');
    await store.open();
    assert.equal(await store.increment('n', ONE), 2n);
  });
}
