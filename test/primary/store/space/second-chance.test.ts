/** What of a reclaimed segment stays: what was read, then what is dear, never more than half. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Candidate,
  SecondChance,
  type Verdict,
} from '../../../../src/primary/store/space/second-chance.ts';

const UNREAD: Candidate = { bytes: 1000, visited: false, costMs: 0, wasSpared: false };
const READ: Candidate = { ...UNREAD, visited: true };
const USUAL: Candidate = { ...UNREAD, costMs: 100 };
const DEAR: Candidate = { ...UNREAD, costMs: 1000 };

const times = (count: number, candidate: Candidate): Candidate[] =>
  Array.from({ length: count }, () => candidate);

/** The verdicts over a segment that these entries fill. */
function verdicts(candidates: readonly Candidate[]): Verdict[] {
  const bytes = candidates.reduce((sum, candidate) => sum + candidate.bytes, 0);
  const chance = new SecondChance(bytes);
  return candidates.map((candidate) => chance.judge(candidate));
}

const count = (of: readonly Verdict[], verdict: Verdict): number =>
  of.filter((one) => one === verdict).length;

describe('an entry that was read', () => {
  it('stays, while one that was not goes', () => {
    const given = [...times(50, UNREAD), READ, ...times(50, UNREAD)];
    assert.deepEqual(
      verdicts(given),
      given.map(({ visited }) => (visited ? 'visited' : 'evict')),
    );
  });

  it('stays as the first of a segment already', () => {
    assert.equal(verdicts([READ, ...times(9, UNREAD)])[0], 'visited');
  });

  it('stays whether it was spared before or not', () => {
    assert.equal(verdicts([{ ...READ, wasSpared: true }, ...times(9, UNREAD)])[0], 'visited');
  });
});

describe('at most half of the bytes of a segment', () => {
  it('is ever copied', () => {
    const candidate = fc.record({
      bytes: fc.nat(100_000),
      visited: fc.boolean(),
      costMs: fc.oneof(fc.constant(0), fc.nat(100_000), fc.double({ min: 0, noNaN: true })),
      wasSpared: fc.boolean(),
    });
    const segment = fc.tuple(fc.array(candidate, { maxLength: 200 }), fc.nat(5_000_000));
    fc.assert(
      fc.property(segment, fc.option(fc.nat(5_000_000)), ([candidates, bytes], liveBytes) => {
        const chance = new SecondChance(bytes, liveBytes ?? bytes);
        let copied = 0;
        for (const one of candidates) {
          if (chance.judge(one) !== 'evict') copied += one.bytes;
          assert.ok(copied <= bytes / 2, `${copied} of ${bytes}`);
        }
      }),
    );
  });

  it('is used whole where all was read', () => {
    assert.equal(count(verdicts(times(1000, READ)), 'visited'), 500);
  });

  it('goes to small entries rather than large ones, where all was read', () => {
    // Of each 100 entries, 1 has half of all bytes.
    const large = { ...READ, bytes: 100_000 };
    const given = Array.from({ length: 20 }, () => [...times(99, READ), large]).flat();
    const found = verdicts(given);
    const small = given.flatMap(({ bytes }, at) => (bytes === READ.bytes ? [found[at]] : []));
    const kept = small.filter((verdict) => verdict === 'visited').length;
    assert.ok(kept / small.length > 0.95, `${kept} of ${small.length}`);
  });

  it('is enough for large entries, too, where little was read', () => {
    const large = { ...READ, bytes: 100_000 };
    const given = [...times(200, UNREAD), large, ...times(200, UNREAD)];
    assert.equal(count(verdicts(given), 'visited'), 1);
  });

  it('does not count what is not copied', () => {
    const chance = new SecondChance(2_000_000);
    assert.equal(chance.judge({ ...READ, bytes: 0 }), 'visited');
    assert.equal(chance.judge({ ...UNREAD, bytes: 0, costMs: 1e9 }), 'evict');
    assert.equal(chance.judge({ ...READ, bytes: 1_000_000 }), 'visited');
    assert.equal(chance.judge({ ...READ, bytes: 1 }), 'evict');
  });
});

describe('an entry that was not read', () => {
  const around = (candidate: Candidate): Candidate[] => [
    ...times(50, USUAL),
    candidate,
    ...times(50, USUAL),
  ];

  it('stays when it costs more than eight times the usual for its size', () => {
    assert.equal(verdicts(around(DEAR))[50], 'dear');
    assert.equal(verdicts(around({ ...USUAL, costMs: 799 }))[50], 'evict');
    assert.equal(verdicts(around({ ...USUAL, bytes: 100 }))[50], 'dear', 'small at a usual cost');
    assert.equal(verdicts(around({ ...DEAR, bytes: 10_000 }))[50], 'evict', 'as large as it costs');
  });

  it('stays once only for its cost', () => {
    assert.equal(verdicts(around({ ...DEAR, wasSpared: true }))[50], 'evict');
  });

  it('is not dear when its cost is not known, nor does it make others so', () => {
    const given = [...times(500, UNREAD), ...times(50, USUAL)];
    assert.equal(count(verdicts(given), 'dear'), 0);
  });

  it('is not dear among the first of a segment, of which nothing is known', () => {
    assert.equal(count(verdicts([...times(15, USUAL), DEAR, ...times(50, USUAL)]), 'dear'), 0);
    assert.equal(count(verdicts([...times(16, USUAL), DEAR, ...times(50, USUAL)]), 'dear'), 1);
  });

  it('is dear although another one has an absurd cost', () => {
    const absurd = { ...USUAL, costMs: Number.MAX_SAFE_INTEGER };
    assert.equal(
      verdicts([...times(50, USUAL), absurd, ...times(49, USUAL), { ...DEAR, costMs: 1200 }])[100],
      'dear',
    );
  });

  it('takes no room from what was read', () => {
    // All that was read has just half: none of the dear ones may stay.
    const given = Array.from({ length: 200 }, (_, at) => [
      at % 10 === 0 && at > 30 ? DEAR : USUAL,
      READ,
    ]).flat();
    const found = verdicts(given);
    assert.ok(count(found, 'visited') >= 195, `${count(found, 'visited')} of 200`);
    assert.ok(count(found, 'dear') <= 5, `${count(found, 'dear')} dear`);
  });
});
