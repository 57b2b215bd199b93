/** The records that a worker holds. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { bucketOf, hashKey } from '../../../src/protocol/key-hash.ts';
import { type HeldRecord, RecordCache } from '../../../src/workers/store/record-cache.ts';
import { recordOf } from '../../primary/store/store-setup.ts';

const MiB = 1024 * 1024;

function filled(bytesMax: number, keys: readonly string[]): RecordCache {
  const cache = new RecordCache(bytesMax, 0);
  for (const key of keys) cache.take(key, recordOf(key));
  return cache;
}

const numbered = (count: number): string[] =>
  Array.from({ length: count }, (_, nth) => `page/${nth}`);

/** Brings the body of what is held, if it is wanted. */
function offer(cache: RecordCache, held: HeldRecord, bodyBytes: number): boolean {
  if (!cache.wantsBody(held, bodyBytes)) return false;
  cache.keepBody(held, Buffer.alloc(bodyBytes));
  return true;
}

/** Looks a key up as a reader does. */
function hit(cache: RecordCache, key: string): boolean {
  const held = cache.get(key);
  if (held === undefined || cache.recordOf(held) === undefined) return false;
  cache.noteHit(held, true);
  return true;
}

describe('the record cache', () => {
  it('gives back what it took, decoded, whatever becomes of the buffer it came in', () => {
    const cache = new RecordCache(MiB, MiB);
    const encoded = recordOf('key', { tags: ['a'] });
    cache.take('key', encoded);
    encoded.fill(0);
    const held = cache.get('key');
    assert.ok(held);
    assert.deepEqual(cache.recordOf(held)?.tags, ['a']);
    assert.equal(cache.recordOf(held), cache.recordOf(held));
    assert.equal(cache.get('other'), undefined);
  });

  it('holds the latest of a key', () => {
    const cache = new RecordCache(MiB, MiB);
    cache.take('key', recordOf('key', { tags: ['old'] }));
    cache.take('key', recordOf('key', { tags: ['new'] }));
    const held = cache.get('key');
    assert.deepEqual(held?.record?.tags, ['new']);
    assert.equal(cache.size, 1);
  });

  it('drops what is in the buckets that it is told, and takes anew after that', () => {
    const keys = numbered(100);
    const cache = filled(MiB, keys);
    const buckets = ['page/1', 'page/2'].map(bucketOf);
    cache.drop(buckets);
    for (const key of keys) {
      assert.equal(cache.get(key) !== undefined, !buckets.includes(bucketOf(key)), key);
    }
    cache.take('page/1', recordOf('page/1'));
    assert.ok(cache.get('page/1'));
    cache.drop(undefined);
    for (const key of keys) assert.equal(cache.get(key), undefined);
    assert.deepEqual([cache.size, cache.bytes], [0, 0]);
  });

  it('does not take back what it was told to drop while its body was read', () => {
    const cache = filled(MiB, ['key']);
    const held = cache.get('key');
    assert.ok(held);
    cache.drop(undefined);
    cache.take('key', recordOf('key', { tags: ['new'] }));
    cache.keepBody(held, Buffer.from('old'));
    cache.remove(held);
    assert.deepEqual(cache.get('key')?.record?.tags, ['new']);
    assert.equal(cache.get('key')?.body, undefined);
  });

  it('finds a damaged record missing', () => {
    const cache = new RecordCache(MiB, MiB);
    const encoded = recordOf('key');
    encoded[70] = (encoded[70] ?? 0) ^ 1;
    cache.take('key', encoded);
    const held = cache.get('key');
    assert.ok(held);
    assert.equal(cache.recordOf(held), undefined);
    assert.equal(cache.get('key'), undefined);
    assert.equal(cache.bytes, 0);
  });

  it('stays within its bytes, and passes over what was hit', () => {
    const cache = new RecordCache(64 * 1024, 0);
    cache.take('hot', recordOf('hot'));
    for (const key of numbered(2000)) {
      assert.ok(hit(cache, 'hot'), key);
      cache.take(key, recordOf(key));
      assert.ok(cache.bytes <= 64 * 1024);
    }
    assert.ok(cache.size > 50 && cache.size < 200, `${cache.size}`);
    assert.equal(cache.get('page/0'), undefined);
    assert.ok(cache.get('page/1999'));
  });

  it('holds nothing that is larger than all of it', () => {
    const cache = filled(100, ['key']);
    assert.deepEqual([cache.size, cache.bytes, cache.get('key')], [0, 0, undefined]);
  });

  it('tells each key that was hit once, and no more than asked for', () => {
    const cache = filled(MiB, numbered(10));
    for (const key of ['page/1', 'page/2', 'page/1']) hit(cache, key);
    assert.deepEqual(cache.takeHits(10), ['page/1', 'page/2'].map(hashKey));
    assert.deepEqual(cache.takeHits(10), []);
    for (const key of numbered(10)) hit(cache, key);
    assert.equal(cache.takeHits(4).length, 4);
    assert.deepEqual(cache.takeHits(4), []);
    hit(cache, 'page/9');
    assert.deepEqual(cache.takeHits(4), [hashKey('page/9')]);
  });

  it('counts the bytes of what it holds, whatever happens to it', () => {
    const keys = numbered(6);
    const step = fc.tuple(fc.constantFrom(...keys), fc.nat(9));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const cache = new RecordCache(4000, 10_000);
        for (const [key, what] of steps) {
          const held = cache.get(key);
          if (what < 4) cache.take(key, recordOf(key, { tags: Array(what).fill('tag') }));
          else if (what === 4) cache.drop([bucketOf(key)]);
          else if (what === 5 && key === 'page/0') cache.drop(undefined);
          else if (what === 6 && held !== undefined) offer(cache, held, 300);
          else if (what === 8 && held !== undefined) cache.keepBody(held, Buffer.alloc(3000));
          else if (what === 7 && held !== undefined) cache.remove(held);
          else hit(cache, key);
          assert.ok(cache.bytes >= 0 && cache.bytes <= 4000);
          assert.ok(cache.bodyBytes >= 0 && cache.bodyBytes <= 10_000);
        }
        for (const key of keys) {
          const held = cache.get(key);
          if (held !== undefined) cache.remove(held);
        }
        assert.deepEqual([cache.size, cache.bytes, cache.bodyBytes], [0, 0, 0]);
      }),
    );
  });
});
