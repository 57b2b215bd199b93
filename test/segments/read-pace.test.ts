/** When reads are made on the event loop. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ReadPace } from '../../src/segments/read-pace.ts';

const IN_MEMORY_MS = 0.02;
const WAITING_MS_MAX = 10;

class Disk {
  nowMs = 0;
  readonly pace = new ReadPace(() => this.nowMs);

  /** Reads as a reader does, what takes so long; answers whether the event loop waited for it. */
  read(tookMs: number, fails = false): boolean {
    const isAtOnce = this.pace.isOpen;
    const read = (): void => {
      this.nowMs += tookMs;
      if (fails) throw new Error('EIO');
    };
    if (!isAtOnce) this.nowMs += tookMs;
    else if (fails) assert.throws(() => this.pace.atOnce(read), /EIO/);
    else this.pace.atOnce(read);
    return isAtOnce;
  }
}

describe('reads of what was not just touched', () => {
  it('are made at once for as long as they find their data in memory', () => {
    const disk = new Disk();
    for (let nth = 0; nth < 200_000; nth++) assert.equal(disk.read(IN_MEMORY_MS), true);
  });

  it('go to the pool after a slow one, until the second is over', () => {
    const disk = new Disk();
    assert.equal(disk.read(12), true);
    while (disk.nowMs < 999) assert.equal(disk.read(IN_MEMORY_MS), false);
    disk.nowMs = 1000;
    assert.equal(disk.read(IN_MEMORY_MS), true);
  });

  it('go to the pool after a slow one that failed', () => {
    const disk = new Disk();
    assert.equal(disk.read(5000, true), true);
    assert.equal(disk.read(IN_MEMORY_MS), true, 'that second is over');
    assert.equal(disk.read(30, true), true);
    assert.equal(disk.read(IN_MEMORY_MS), false);
  });

  it('go to the pool after many that a fast disk was read for', () => {
    const disk = new Disk();
    let atOnce = 0;
    while (disk.nowMs < 999) if (disk.read(0.2)) atOnce += 1;
    assert.ok(Math.abs(atOnce - WAITING_MS_MAX / 0.2) <= 1, `${atOnce}`);
  });

  it('hold up the loop for 10 ms of a second and one read at most, whatever the disk does', () => {
    const tookMs = fc.oneof(
      { weight: 20, arbitrary: fc.constant(IN_MEMORY_MS) },
      { weight: 5, arbitrary: fc.double({ min: 0.06, max: 1, noNaN: true }) },
      { weight: 1, arbitrary: fc.double({ min: 1, max: 20, noNaN: true }) },
    );
    fc.assert(
      fc.property(fc.array(tookMs, { maxLength: 5000, size: 'max' }), (reads) => {
        const disk = new Disk();
        const waits: { readonly atMs: number; readonly ms: number }[] = [];
        for (const ms of reads) {
          const atMs = disk.nowMs;
          if (disk.read(ms) && ms > IN_MEMORY_MS) waits.push({ atMs, ms });
        }
        for (const { atMs } of waits) {
          const ofSecond = waits.filter((one) => one.atMs >= atMs && one.atMs < atMs + 1000);
          const sumMs = ofSecond.reduce((sum, { ms }) => sum + ms, 0);
          // Any 1000 ms meet two of the seconds that are counted.
          assert.ok(sumMs <= 2 * (WAITING_MS_MAX + 20), `${sumMs} ms`);
        }
      }),
      { numRuns: 30 },
    );
  });
});
