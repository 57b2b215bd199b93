/** Which segment is reclaimed next. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  newSegmentStats,
  SegmentState,
  type SegmentStats,
} from '../../../../src/primary/store/segment-stats.ts';
import { Sweep } from '../../../../src/primary/store/space/sweep.ts';
import {
  chooseVictim,
  garbagePercentOf,
  type VictimRules,
} from '../../../../src/primary/store/space/victim.ts';

function sealed(id: number, more: Partial<SegmentStats> = {}): SegmentStats {
  return {
    ...newSegmentStats(id, 0, id, 1064),
    state: SegmentState.sealed,
    records: 10,
    bytesLive: 1000,
    ...more,
  };
}

function chosen(segments: readonly SegmentStats[], rules: Partial<VictimRules> = {}): string {
  const victim = chooseVictim(segments, {
    isShort: false,
    isDiskShort: false,
    garbagePercent: 50,
    isLeftAlone: () => false,
    lone: new Set(),
    sweep: new Sweep(),
    ...rules,
  });
  return victim === undefined ? 'none' : `${victim.stats.id} keep ${victim.keep}`;
}

describe('the next segment to be reclaimed', () => {
  it('is none while there is room and little garbage', () => {
    assert.equal(chosen([sealed(1), sealed(2, { bytesLive: 501 })]), 'none');
  });

  it('is the one with the most garbage, whether room is short or not', () => {
    const segments = [sealed(1), sealed(2, { bytesLive: 400 }), sealed(3, { bytesLive: 300 })];
    assert.equal(chosen(segments), '3 keep all');
    assert.equal(chosen(segments, { isShort: true }), '3 keep all');
  });

  it('is the next of the sweep where room is short, from the oldest on and round again', () => {
    const segments = [sealed(5), sealed(3), sealed(9)];
    const sweep = new Sweep();
    const next = (): string => chosen(segments, { isShort: true, sweep });
    assert.deepEqual(
      [next(), next(), next(), next()],
      ['3 keep chance', '5 keep chance', '9 keep chance', '3 keep chance'],
    );
  });

  it('keeps nothing where the disk has no room for copies', () => {
    const segments = [sealed(1), sealed(2, { bytesLive: 100 })];
    assert.equal(chosen(segments, { isShort: true, isDiskShort: true }), '1 keep nothing');
  });

  it('is never one that is written, that holds no record, or that cannot be reclaimed', () => {
    const segments = [
      sealed(1, { state: SegmentState.open }),
      sealed(2, { records: 0, bytesLive: 0 }),
      sealed(3, { state: SegmentState.dropping }),
      sealed(4),
    ];
    assert.equal(chosen(segments, { isShort: true, isLeftAlone: (id) => id === 4 }), 'none');
  });

  it('is for its garbage alone never one whose body is not copied, but may be for want of room', () => {
    const segments = [sealed(1, { bytesLive: 100 })];
    const lone = new Set([1]);
    assert.equal(chosen(segments, { lone }), 'none');
    assert.equal(chosen(segments, { lone, isShort: true }), '1 keep chance');
  });

  it('counts as garbage what no record points to, and never less than nothing', () => {
    assert.equal(garbagePercentOf(sealed(1, { bytesLive: 250 })), 75);
    assert.equal(garbagePercentOf(sealed(1, { bytesLive: 1100 })), 0);
    assert.equal(garbagePercentOf(sealed(1, { fileBytes: 64, bytesLive: 0 })), 0);
  });
});
