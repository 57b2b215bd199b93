/** The store contract: bodies of every size, framed, broken off, and read while they change. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import type { EntryRecord } from '../../../src/protocol/record.ts';
import type { Framing } from '../../../src/workers/store/store.ts';
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

const MiB = 1024 * 1024;

export function framing(subject: Subject): void {
  const frame = (record: EntryRecord): Framing => ({
    prologue: Buffer.from(`<${record.plainBytes}>`),
    epilogue: Buffer.from(`</${record.duration}>`),
  });

  test('a frame stands before and after the body it was made for, whatever its size', async () => {
    const { store } = subject();
    for (const byteLength of [0, 1, 1000, 70_000, 3 * MiB]) {
      const body = pattern(byteLength);
      await store.put('framed', { ...RAW_META, duration: '1d' }, body);
      const found = await store.get('framed', { frame });
      assert.ok(found.found);
      const expected = Buffer.concat([Buffer.from(`<${byteLength}>`), body, Buffer.from('</1d>')]);
      assertBytes(await bytesOf(found.content), expected, `a frame around ${byteLength} bytes`);
    }
  });

  test('a frame that throws refuses the read, and the entry can still be read', async () => {
    const { store, unreleased } = subject();
    await store.put('refused', RAW_META, Buffer.from('x'));
    const refusing = (): Framing => {
      throw new BigCacheError('KIND_MISMATCH');
    };
    const asked = async () => await store.get('refused', { frame: refusing });
    await rejectsWith(asked(), 'KIND_MISMATCH');
    // Once more, where a store may have it at hand by now.
    await rejectsWith(asked(), 'KIND_MISMATCH');
    assertBytes(await read(store, 'refused'), Buffer.from('x'), 'after the refusal');
    assert.equal(unreleased?.() ?? 0, 0);
  });
}

export function largeBodies(subject: Subject): void {
  for (const byteLength of [64 * 1024, 64 * 1024 + 1, MiB - 1, MiB, MiB + 1, 5 * MiB + 12_345]) {
    test(`${byteLength} bytes come back as they went in, at once or in pieces`, async () => {
      const { store } = subject();
      const body = pattern(byteLength);
      const asBuffer = await store.put('big', RAW_META, Buffer.from(body));
      assert.equal(asBuffer.plainBytes, byteLength);
      assertBytes(await read(store, 'big'), body, 'given as a Buffer');
      const asStream = await store.put('big', RAW_META, inPieces(body, 60_001));
      assert.equal(asStream.plainBytes, byteLength);
      assertBytes(await read(store, 'big'), body, 'given in pieces');
    });
  }

  test('a reader that stops half way holds nothing up', async () => {
    const { store, unreleased } = subject();
    await store.put('half', RAW_META, pattern(3 * MiB));
    const found = await store.get('half');
    assert.ok(found.found);
    for await (const piece of found.content.chunks()) {
      assert.ok(piece.length > 0);
      break;
    }
    found.content.release();
    assertBytes(await read(store, 'half'), pattern(3 * MiB), 'the next reader');
    assert.equal(unreleased?.() ?? 0, 0);
  });

  test('a body being read stays what it was when its entry is overwritten or removed', async () => {
    const { store } = subject();
    const body = pattern(3 * MiB);
    await store.put('moving', RAW_META, Buffer.from(body));
    const found = await store.get('moving');
    assert.ok(found.found);
    await store.put('moving', RAW_META, pattern(2 * MiB, 7));
    await store.delete('moving');
    assertBytes(await bytesOf(found.content), body, 'the body that was asked for');
  });
}

export function brokenBodies(subject: Subject): void {
  async function* breaking(byteLength: number): AsyncGenerator<Buffer> {
    yield* inPieces(pattern(byteLength, 9), 50_000);
    throw new BigCacheError('REQUEST_TIMEOUT');
  }

  for (const byteLength of [0, 1000, 2 * MiB]) {
    test(`a body that breaks off after ${byteLength} bytes leaves the old entry`, async () => {
      const { store } = subject();
      const key = `broken/${byteLength}`;
      await rejectsWith(store.put(key, RAW_META, breaking(byteLength)), 'REQUEST_TIMEOUT');
      assert.equal(await missReason(store, key), 'never-seen');
      await store.put(key, RAW_META, Buffer.from('old'));
      const before = await store.count();
      await rejectsWith(store.put(key, RAW_META, breaking(byteLength)), 'REQUEST_TIMEOUT');
      assertBytes(await read(store, key), Buffer.from('old'), 'the old body');
      assert.equal(await store.count(), before);
      await store.put(key, RAW_META, Buffer.from('new'));
      assertBytes(await read(store, key), Buffer.from('new'), 'the body after it');
    });
  }
}

export function closing(subject: Subject): void {
  test('a closed store refuses everything until it is opened, and has kept its entries', async () => {
    const { store } = subject();
    await store.put('kept', RAW_META, Buffer.from('x'));
    await store.close();
    const refused = [
      Promise.resolve(store.get('kept')),
      store.find('kept'),
      store.put('kept', RAW_META, Buffer.from('y')),
      store.put('kept', RAW_META, inPieces(pattern(100), 10)),
      store.delete('kept'),
      store.deletePrefix('k'),
      store.clear(),
      store.count(),
    ];
    await Promise.all(refused.map((promise) => rejectsWith(promise, 'STORE_CLOSED')));
    await store.open();
    assertBytes(await read(store, 'kept'), Buffer.from('x'), 'after opening');
    assert.equal(await store.count(), 1);
  });

  test('an open store can be opened, and be closed and opened again', async () => {
    const { store } = subject();
    await store.open();
    await store.close();
    await store.open();
    await store.put('after', RAW_META, Buffer.from('z'));
    assertBytes(await read(store, 'after'), Buffer.from('z'), 'after the second opening');
  });
}

export function races(subject: Subject): void {
  test('of writes to one key at once, one is what every reader finds', async () => {
    const { store } = subject();
    const bodies = Array.from({ length: 40 }, (_, index) =>
      pattern(1000 + index * 3000, index + 1),
    );
    const stored = await Promise.all(
      bodies.map((body, index) =>
        store.put('race', RAW_META, index % 2 === 0 ? body : inPieces(body, 4096)),
      ),
    );
    const versions = stored.map(({ version }) => version);
    assert.equal(new Set(versions).size, versions.length);
    const last = bodies[versions.indexOf(Math.max(...versions))];
    assert.ok(last !== undefined);
    assertBytes(await read(store, 'race'), last, 'the write with the highest version');
    assert.equal(stored.filter(({ created }) => created).length, 1);
    assert.equal(await store.count(), 1);
  });

  test('a write that was acknowledged is what the next read finds', async () => {
    const { store } = subject();
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        for (let round = 1; round <= 5; round += 1) {
          const body = pattern(200 + index * 50, index * 10 + round);
          await store.put(`own/${index}`, RAW_META, Buffer.from(body));
          assertBytes(await read(store, `own/${index}`), body, `own/${index} round ${round}`);
        }
      }),
    );
  });

  test('readers and writers of one key at once never see a mixture', async () => {
    const { store } = subject();
    const bodies = [pattern(40_000, 1), pattern(50_000, 2), pattern(1_500_000, 3)];
    await store.put('mix', RAW_META, Buffer.alloc(0));
    const write = async (): Promise<void> => {
      for (let round = 0; round < 12; round += 1) {
        await store.put('mix', RAW_META, Buffer.from(bodies[round % 3] ?? ''));
      }
    };
    const readAll = async (): Promise<void> => {
      for (let round = 0; round < 30; round += 1) {
        const bytes = await read(store, 'mix');
        const isWhole = bytes?.length === 0 || bodies.some((body) => bytes?.equals(body));
        assert.ok(isWhole, `a mixture of ${bytes?.length} bytes`);
      }
    };
    await Promise.all([write(), readAll(), readAll()]);
  });
}
