/** How old what is not on the disk is. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SyncAges } from '../../../src/primary/store/sync-ages.ts';

function ages() {
  const clock = { nowMs: 1000 };
  return { ages: new SyncAges(() => clock.nowMs), clock };
}

describe('the age of what is not synced', () => {
  it('is nothing before the first write, and after a pass', () => {
    const { ages: subject, clock } = ages();
    assert.deepEqual(subject.current, { syncAgeMs: 0, unsyncedAgeMs: 0 });
    subject.wrote();
    clock.nowMs += 300;
    subject.wrote();
    assert.deepEqual(subject.current, { syncAgeMs: 0, unsyncedAgeMs: 300 });
    subject.begins();
    clock.nowMs += 50;
    subject.synced();
    assert.deepEqual(subject.current, { syncAgeMs: 0, unsyncedAgeMs: 0 });
    clock.nowMs += 70;
    assert.deepEqual(subject.current, { syncAgeMs: 70, unsyncedAgeMs: 0 });
  });

  it('is that of the pass while it lasts, then that of what came meanwhile', () => {
    const { ages: subject, clock } = ages();
    subject.wrote();
    clock.nowMs += 400;
    subject.begins();
    clock.nowMs += 100;
    subject.wrote();
    clock.nowMs += 10;
    assert.equal(subject.current.unsyncedAgeMs, 510);
    subject.synced();
    assert.equal(subject.current.unsyncedAgeMs, 10);
  });

  it('goes on after a pass that failed', () => {
    const { ages: subject, clock } = ages();
    subject.wrote();
    clock.nowMs += 400;
    subject.begins();
    subject.wrote();
    clock.nowMs += 100;
    subject.failed();
    assert.deepEqual(subject.current, { syncAgeMs: 0, unsyncedAgeMs: 500 });
  });
});
