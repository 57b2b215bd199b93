/** The visited bits: what is marked is seen, how keys spread over the bits, and what the file survives. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { Visited } from '../../../../src/primary/store/space/visited.ts';
import { hashKey } from '../../../../src/protocol/key-hash.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';
import { logTo } from '../store-setup.ts';

const BITS = 2 ** 27;
const PAGE_BYTES = 4096;
const FILE_BYTES = PAGE_BYTES + BITS / 8;

const positionOf = (key: string): number => hashKey(key) >>> 5;
const newVisited = (): Promise<Visited> => load('/nonexistent/visited');

describe('a visited bit', () => {
  it('is seen once its key is marked, and by no other key unless their bits are one', async () => {
    const visited = await newVisited();
    const operation = fc.tuple(fc.boolean(), fc.string({ unit: 'grapheme', maxLength: 12 }));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 50 }), (operations) => {
        const model = new Set<number>();
        for (const [isMark, key] of operations) {
          if (isMark) visited.mark(key);
          else visited.clear(key);
          if (isMark) model.add(positionOf(key));
          else model.delete(positionOf(key));
          for (const [, other] of operations) {
            assert.equal(visited.has(other), model.has(positionOf(other)));
          }
        }
        for (const [, key] of operations) visited.clear(key);
      }),
    );
  });

  it('is chosen by a hash that never changes', () => {
    assert.equal(hashKey(''), 0);
    assert.equal(hashKey('a'), 1009084850);
    assert.equal(hashKey('list?page=123'), 4082233004);
    assert.equal(hashKey('商品/😀'), 1775249056);
  });

  for (const [name, keyOf] of Object.entries<(n: number) => string>({
    'list?page=123': (n) => `list?page=${n}`,
    '/product/000123': (n) => `/product/${String(n).padStart(6, '0')}`,
    '/de/shop/3/12?sort=price': (n) => `/de/shop/${n % 1000}/${Math.floor(n / 1000)}?sort=price`,
    'one character each': (n) => String.fromCodePoint(n + 0x20000),
  })) {
    it(`falls together no more often than chance has it for keys like ${name}`, () => {
      const count = 60_000;
      const bits = 2 ** 20;
      const taken = new Set<number>();
      for (let n = 0; n < count; n++) taken.add(positionOf(keyOf(n)) % bits);
      const expected = bits * (1 - Math.exp(-count / bits));
      // The deviation is about 40; the lower 20 of the 27 bits are looked at, then the upper.
      assert.ok(Math.abs(taken.size - expected) < 250, `${taken.size}, expected ${expected}`);
      const upper = new Set<number>();
      for (let n = 0; n < count; n++) upper.add(positionOf(keyOf(n)) >>> 7);
      assert.ok(Math.abs(upper.size - expected) < 250, `${upper.size}, expected ${expected}`);
    });
  }

  it('is seen by another thread, which shares the memory', async () => {
    const visited = await newVisited();
    visited.mark('/shared');
    const script = `
      const { parentPort, workerData } = require('node:worker_threads');
      const { bytes, shared } = workerData;
      parentPort.postMessage(bytes.map((at) => new Uint8Array(shared)[at]));`;
    const at = positionOf('/shared') >>> 3;
    const worker = new Worker(script, {
      eval: true,
      workerData: { bytes: [at], shared: visited.shared },
    });
    const [byte] = await new Promise<number[]>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    assert.equal(byte, 1 << (positionOf('/shared') & 7));
    const over = Visited.over(visited.shared);
    assert.ok(over.has('/shared'));
    visited.clear('/shared');
    assert.ok(!over.has('/shared'));
    await assert.rejects(over.save(), /another thread/);
  });
});

describe('the file of the visited bits', () => {
  it('gives back what was saved, also over several saves', async (t) => {
    const path = join(await temporaryDirectory(t), 'visited');
    const first = await load(path);
    for (let n = 0; n < 3000; n++) first.mark(`/a/${n}`);
    assert.equal(await first.save(), true);
    for (let n = 0; n < 1000; n++) first.clear(`/a/${n}`);
    first.mark('/later');
    assert.equal(await first.save(), true);
    const second = await load(path);
    assert.ok(sameBits(first, second));
    assert.ok(second.has('/later'));
  });

  it('takes no room for pages in which nothing is marked', async (t) => {
    const path = join(await temporaryDirectory(t), 'visited');
    const visited = await load(path);
    visited.mark('/one');
    await visited.save();
    const { size, blocks } = await stat(path);
    assert.equal(size, FILE_BYTES);
    assert.ok(blocks * 512 <= 16 * PAGE_BYTES, `${blocks} blocks`);
  });

  it('is written only where bits changed', async (t) => {
    const path = join(await temporaryDirectory(t), 'visited');
    const visited = await load(path);
    visited.mark('/one');
    await visited.save();
    // What another hand wrote stays, unless the page is written again.
    const bytes = await readFile(path);
    const at = PAGE_BYTES + ((positionOf('/one') >>> 3) ^ PAGE_BYTES);
    bytes[at] = 0x55;
    await writeFile(path, bytes);
    visited.clear('/one');
    await visited.save();
    const after = await readFile(path);
    assert.equal(after[at], 0x55);
    assert.equal(after[PAGE_BYTES + (positionOf('/one') >>> 3)], 0);
    const { mtimeMs } = await stat(path);
    visited.clear('/one');
    assert.equal(await visited.save(), true);
    assert.equal((await stat(path)).mtimeMs, mtimeMs);
  });

  it('gives no bits when it is damaged, and is made anew by the next save', async (t) => {
    const path = join(await temporaryDirectory(t), 'visited');
    const visited = await load(path);
    for (let n = 0; n < 500; n++) visited.mark(`/a/${n}`);
    await visited.save();
    const whole = await readFile(path);
    const damages: Record<string, (bytes: Buffer) => Buffer> = {
      empty: () => Buffer.alloc(0),
      short: (bytes) => bytes.subarray(0, bytes.length - 1),
      long: (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]),
      'without a header': (bytes) => bytes.fill(0, 0, PAGE_BYTES),
      'with a flipped header': (bytes) => bytes.fill((bytes[20] ?? 0) ^ 1, 20, 21),
      'of another format': (bytes) => bytes.fill(2, 8, 9),
    };
    for (const [name, damage] of Object.entries(damages)) {
      await writeFile(path, damage(Buffer.from(whole)));
      const warnings: string[] = [];
      const damaged = await load(path, warnings);
      assert.equal(warnings.length, 1, name);
      assert.ok(!damaged.has('/a/1'), name);
      damaged.mark('/after');
      assert.equal(await damaged.save(), true);
      const again = await load(path, warnings);
      assert.equal(warnings.length, 1, name);
      assert.ok(again.has('/after') && !again.has('/a/1'), name);
    }
  });

  it('is all that memory holds which had bits of another one', async (t) => {
    const folder = await temporaryDirectory(t);
    const memory = Visited.memory();
    const loadInto = (name: string): Promise<Visited> =>
      Visited.load(join(folder, name), logTo([]), memory);
    const first = await loadInto('first');
    for (let n = 0; n < 500; n++) first.mark(`/first/${n}`);
    await first.save();
    first.mark('/unsaved');
    const second = await loadInto('second');
    assert.ok(sameBits(second, await load(join(folder, 'none'))));
    second.mark('/second');
    await second.save();
    const again = await loadInto('first');
    assert.ok(again.has('/first/1') && !again.has('/unsaved') && !again.has('/second'));
    assert.ok(sameBits(again, await load(join(folder, 'first'))));
  });

  it('is whole again after it was taken away under a running server', async (t) => {
    const path = join(await temporaryDirectory(t), 'visited');
    const visited = await load(path);
    visited.mark('/before');
    await visited.save();
    await rm(path);
    visited.mark('/after');
    assert.equal(await visited.save(), false);
    assert.equal(await visited.save(), true);
    assert.ok(sameBits(visited, await load(path)));
  });

  it('that cannot be written is told in the log once until it can; what was due stays due', async (t) => {
    const folder = await temporaryDirectory(t);
    const path = join(folder, 'visited');
    await mkdir(path);
    const warnings: string[] = [];
    const visited = await load(path, warnings);
    visited.mark('/one');
    assert.equal(await visited.save(), false);
    assert.equal(await visited.save(), false);
    assert.deepEqual(warnings.slice(1), ['the visited bits cannot be saved']);
    await rm(path, { recursive: true });
    assert.equal(await visited.save(), true);
    assert.ok((await load(path)).has('/one'));
    await rm(path);
    visited.mark('/two');
    assert.equal(await visited.save(), false);
    assert.equal(warnings.length, 3, 'it had worked in between');
  });

  it('holds what was marked while it was being saved after the next save at the latest', async (t) => {
    const path = join(await temporaryDirectory(t), 'visited');
    const visited = await load(path);
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 500; n++) visited.mark(`/${round}/${n}`);
      const saving = visited.save();
      await new Promise((resolve) => setImmediate(resolve));
      for (let n = 500; n < 1000; n++) visited.mark(`/${round}/${n}`);
      assert.equal(await saving, true);
    }
    assert.equal(await visited.save(), true);
    assert.ok(sameBits(visited, await load(path)));
  });
});

function sameBits(one: Visited, other: Visited): boolean {
  return Buffer.from(one.shared, 0, BITS / 8).equals(Buffer.from(other.shared, 0, BITS / 8));
}

/** The bits of a file; what is warned of goes to `warnings`. */
function load(path: string, warnings: string[] = []): Promise<Visited> {
  return Visited.load(path, logTo(warnings));
}
