/** What entries have cost to make, told by the misses of their keys. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MissedKeys } from '../../../../src/primary/store/leases/missed-keys.ts';
import { decodeRecord } from '../../../../src/protocol/record.ts';
import { recordOf } from '../store-setup.ts';

const START_MS = Date.UTC(2030, 0, 1);

describe('the missed keys', () => {
  it('tell the time from the first miss to the write', () => {
    const missed = new MissedKeys();
    missed.missed('page', START_MS);
    missed.missed('page', START_MS + 100);
    assert.equal(missed.costOf('page', START_MS + 450), 450);
    assert.equal(missed.costOf('other', START_MS + 450), 0);
  });

  it('tell those who rendered beside the first the same, and begin anew with a new miss', () => {
    const missed = new MissedKeys();
    missed.missed('page', START_MS);
    assert.equal(missed.costOf('page', START_MS + 450), 450);
    assert.equal(missed.costOf('page', START_MS + 470), 450);
    assert.equal(missed.costOf('page', START_MS + 200_000), 450, 'a refresh without a miss');
    missed.missed('page', START_MS + 250_000);
    assert.equal(missed.costOf('page', START_MS + 250_020), 20);
  });

  it('tell nothing after five minutes, nor when the clock was set back', () => {
    const missed = new MissedKeys();
    missed.missed('page', START_MS);
    assert.equal(missed.costOf('page', START_MS + 300_001), 0);
    assert.equal(missed.costOf('page', START_MS - 1), 0);
    missed.missed('page', START_MS + 400_000);
    assert.equal(missed.costOf('page', START_MS + 400_500), 500);
  });

  it('keep the same room, whatever is missed', () => {
    const missed = new MissedKeys();
    for (let nth = 0; nth < 200_000; nth++) missed.missed(`key ${nth}`, START_MS);
    let known = 0;
    for (let nth = 0; nth < 200_000; nth++) {
      if (missed.costOf(`key ${nth}`, START_MS + 1) > 0) known += 1;
    }
    assert.ok(known > 50_000 && known <= 65_536 + 10, `${known} are known`);
  });

  it('write the cost into the record, which stays whole', () => {
    const missed = new MissedKeys();
    const record = recordOf('page');
    assert.equal(missed.withCost('page', record, START_MS), record);
    missed.missed('page', START_MS);
    const costed = missed.withCost('page', record, START_MS + 123_456);
    const before = decodeRecord(Buffer.from('page'), record);
    const decoded = decodeRecord(Buffer.from('page'), costed);
    assert.deepEqual(decoded, { ...before, costMs: 123_456 });
    const damaged = Buffer.from(record);
    damaged[20] = (damaged[20] ?? 0) ^ 1;
    assert.equal(missed.withCost('page', damaged, START_MS + 1), damaged);
  });
});
