/** Pooled buffers: big enough, given back once, and no more of them kept than was allowed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Slab, SlabPool } from '../../src/segments/slabs.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

describe('a slab', () => {
  it('is the next power of two from 2 KiB to 2 MiB, and exact beyond', () => {
    const pool = new SlabPool();
    const sizes = [0, 1, 2 * KiB, 2 * KiB + 1, 64 * KiB, MiB + 1, 2 * MiB, 2 * MiB + 1].map(
      (bytes) => pool.take(bytes).buffer.length,
    );
    assert.deepEqual(sizes, [
      2 * KiB,
      2 * KiB,
      2 * KiB,
      4 * KiB,
      64 * KiB,
      2 * MiB,
      2 * MiB,
      2 * MiB + 1,
    ]);
  });

  it('is used again once it was given back, never before', () => {
    const pool = new SlabPool();
    const first = pool.take(3000);
    assert.notEqual(pool.take(3000).buffer, first.buffer);
    first.release();
    assert.equal(pool.take(4000).buffer, first.buffer);
  });

  it('is given back by the first release only', () => {
    const pool = new SlabPool();
    const first = pool.take(3000);
    first.release();
    first.release();
    const [one, other] = [pool.take(3000), pool.take(3000)];
    assert.notEqual(one.buffer, other.buffer);
    // The old holder has no say over its successor's slab.
    first.release();
    assert.equal(pool.onLoan, 2);
    assert.notEqual(pool.take(3000).buffer, one.buffer);
  });

  it('is refused where too many bytes are on loan, until some are given back', () => {
    const pool = new SlabPool({ loanBytesMax: 8 * KiB });
    const first = pool.take(4 * KiB);
    const second = pool.take(3 * KiB);
    assert.throws(() => pool.take(1), { code: 'OVERLOADED' });
    assert.equal(pool.onLoan, 2);
    second.release();
    pool.take(4 * KiB);
    first.release();
    assert.throws(() => pool.take(4 * KiB + 1), { code: 'OVERLOADED' });
    assert.equal(pool.onLoan, 1);
  });

  it('is refused to large ones sooner than to small ones', () => {
    const pool = new SlabPool({ loanBytesMax: MiB });
    for (let nth = 0; nth < 6; nth++) pool.take(128 * KiB);
    assert.throws(() => pool.take(128 * KiB), { code: 'OVERLOADED' });
    for (let nth = 0; nth < 4; nth++) pool.take(64 * KiB);
    assert.throws(() => pool.take(1), { code: 'OVERLOADED' });
    assert.deepEqual([pool.loanBytes, pool.refused], [MiB, 2]);
  });

  it('has bytes that are held otherwise counted with it, until they are given back once', () => {
    const pool = new SlabPool({ loanBytesMax: 64 * KiB });
    const giveBack = pool.lend(60 * KiB);
    assert.throws(() => pool.take(8 * KiB), { code: 'OVERLOADED' });
    giveBack();
    giveBack();
    assert.equal(pool.loanBytes, 0);
    pool.take(64 * KiB).release();
    assert.equal(pool.loanBytes, 0);
  });

  it('is never on loan twice, whatever is taken and released', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ take: fc.boolean(), n: fc.nat(8 * KiB) }), { maxLength: 60 }),
        (steps) => {
          const pool = new SlabPool({ idleBytesMax: 16 * KiB });
          const loans: Slab[] = [];
          const released: Slab[] = [];
          for (const { take, n } of steps) {
            if (take) loans.push(pool.take(n));
            else if (loans.length > 0) released.push(...loans.splice(n % loans.length, 1));
            for (const slab of released) slab.release();
            assert.equal(pool.onLoan, loans.length);
            assert.equal(new Set(loans.map(({ buffer }) => buffer)).size, loans.length);
            assert.ok(loans.every(({ buffer }) => buffer.length >= 2 * KiB));
          }
        },
      ),
    );
  });
});

describe('a pool of slabs', () => {
  it('keeps no more idle bytes than it was allowed', () => {
    const pool = new SlabPool({ idleBytesMax: 8 * KiB });
    const slabs = Array.from({ length: 5 }, () => pool.take(4 * KiB));
    for (const slab of slabs) slab.release();
    const again = Array.from({ length: 5 }, () => pool.take(4 * KiB).buffer);
    const before = new Set(slabs.map(({ buffer }) => buffer));
    assert.equal(again.filter((buffer) => before.has(buffer)).length, 2);
  });

  it('does not keep slabs above 2 MiB', () => {
    const pool = new SlabPool();
    const big = pool.take(2 * MiB + 1);
    big.release();
    assert.equal(pool.onLoan, 0);
    assert.notEqual(pool.take(2 * MiB + 1).buffer, big.buffer);
  });
});
