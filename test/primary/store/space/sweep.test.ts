/** The order in which segments are reclaimed: from old to young, and copies stay in their place. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Sweep } from '../../../../src/primary/store/space/sweep.ts';

const segment = (id: number, agedFromMs: number) => ({ id, agedFromMs });

describe('a sweep', () => {
  it('goes from the oldest segment to the youngest, and then from the oldest again', () => {
    const sweep = new Sweep();
    const segments = [segment(3, 30), segment(1, 10), segment(2, 20)];
    const ids = Array.from({ length: 7 }, () => sweep.next(segments)?.id);
    assert.deepEqual(ids, [1, 2, 3, 1, 2, 3, 1]);
  });

  it('finds nothing where there is nothing', () => {
    assert.equal(new Sweep().next([]), undefined);
  });

  it('does not come back in this round to copies, which have the place of their original', () => {
    const sweep = new Sweep();
    const segments = new Map([1, 2, 3].map((id) => [id, segment(id, 10 * id)]));
    const taken: number[] = [];
    for (let copy = 100; copy < 104; copy++) {
      const victim = sweep.next(segments.values());
      assert.ok(victim);
      taken.push(victim.id);
      segments.delete(victim.id);
      segments.set(copy, segment(copy, victim.agedFromMs));
    }
    assert.deepEqual(taken, [1, 2, 3, 100]);
  });

  it('takes young segments that came while it was under way in the same round', () => {
    const sweep = new Sweep();
    const segments = [segment(1, 10), segment(2, 20)];
    sweep.next(segments);
    segments.push(segment(3, 30));
    assert.equal(sweep.next(segments)?.id, 2);
    assert.equal(sweep.next(segments)?.id, 3);
    assert.equal(sweep.next(segments)?.id, 1);
  });

  it('gets to every segment in as many rounds as there are at one place, when each is dropped', () => {
    const ages = fc.array(fc.nat(5), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(ages, (agedFrom) => {
        const sweep = new Sweep();
        const left = new Map(agedFrom.map((ageMs, id) => [id, segment(id, ageMs)]));
        for (let step = 0; step < agedFrom.length; step++) {
          const victim = sweep.next(left.values());
          assert.ok(victim !== undefined && left.delete(victim.id));
        }
        assert.equal(left.size, 0);
      }),
    );
  });
});
