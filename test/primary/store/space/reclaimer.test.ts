/** What is reclaimed, and what is left alone, when room is short and not everything goes well. */
import assert from 'node:assert/strict';
import { unlink } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { eventually } from '../../../eventually.ts';
import { aWhile, reclaiming, SEGMENT_BYTES } from './reclaimer-setup.ts';

describe('a reclaimer that is short of room', () => {
  it('takes one segment after the other until there is enough', async (t) => {
    const { reclaimer, room, tried, store } = await reclaiming(t, { segments: 5 });
    room.limitBytes = 3 * SEGMENT_BYTES;
    reclaimer.start();
    await eventually(() => store.segments.size === 3);
    await aWhile();
    assert.deepEqual(tried, ['1 chance', '2 chance']);
  });

  it('evicts nothing more while what it emptied is only pinned', async (t) => {
    const { reclaimer, room, tried, store, steps, pins } = await reclaiming(t, { segments: 5 });
    room.limitBytes = 3 * SEGMENT_BYTES;
    let release = (): void => undefined;
    steps.set(1, () => {
      release = pins.pin([1]).releaseAll;
      return 'evict';
    });
    reclaimer.start();
    await eventually(() => store.segments.size === 4);
    await aWhile();
    assert.deepEqual(tried, ['1 chance', '2 chance'], 'two segments are enough');
    release();
    await eventually(() => store.segments.size === 3);
    await aWhile();
    assert.equal(tried.length, 2);
  });

  it('takes no pinned segment, and evicts nothing when all are', async (t) => {
    const { reclaimer, room, tried, store, pins } = await reclaiming(t, { segments: 3 });
    room.limitBytes = SEGMENT_BYTES;
    const pin = pins.pin([1, 2, 3]);
    reclaimer.start();
    await aWhile();
    assert.deepEqual(tried, []);
    pin.release(2);
    await eventually(() => store.segments.size === 2);
    await aWhile();
    assert.deepEqual(tried, ['2 chance']);
  });

  it('evicts nothing before the counters are sure, since no file may go', async (t) => {
    const options = { segments: 3, lostChanges: true };
    const { reclaimer, room, tried, store } = await reclaiming(t, options);
    room.limitBytes = SEGMENT_BYTES;
    reclaimer.start();
    await aWhile();
    assert.deepEqual(tried, []);
    const { clearVersion } = store;
    await store.applyRecount({ clearVersion, count: 0, segments: new Map() });
    await eventually(() => store.segments.size === 1);
  });

  it('leaves one alone for a minute with which something failed, and takes the others', async (t) => {
    const { reclaimer, room, tried, store, steps, time, messages } = await reclaiming(t, {
      segments: 3,
    });
    room.limitBytes = 2 * SEGMENT_BYTES;
    let fails = true;
    steps.set(1, () => (fails ? new Error('no thread') : 'evict'));
    reclaimer.start();
    await eventually(() => store.segments.size === 2, 10_000);
    assert.deepEqual(tried, ['1 chance', '2 chance']);
    assert.deepEqual(messages, ['reclaiming could not go on; it tries again']);
    fails = false;
    room.limitBytes = 0;
    await eventually(() => store.segments.size === 1);
    await aWhile();
    assert.equal(tried.length, 3);
    time.nowMs += 60_000;
    await eventually(() => store.segments.size === 0);
  });

  it('evicts by the index what cannot be read, and what has lost its file', async (t) => {
    const { reclaimer, room, store, steps, messages } = await reclaiming(t, { segments: 3 });
    room.limitBytes = SEGMENT_BYTES;
    steps.set(1, () => ({ outcome: 'unreadable' }));
    steps.set(2, () => ({ outcome: 'missing' }));
    steps.set(3, () => ({ outcome: 'stopped' }));
    reclaimer.start();
    await eventually(() => store.segments.size === 1);
    assert.equal(store.evicted, 8);
    assert.deepEqual([...store.segments.keys()], [3]);
    assert.deepEqual(messages.sort(), [
      'a segment cannot be read and had to make room; its entries are evicted',
      'a segment file is missing; its entries are removed',
    ]);
  });

  it('evicts the rest of a segment where there is no room for its copies', async (t) => {
    const { reclaimer, room, tried, store, steps } = await reclaiming(t, { segments: 2 });
    room.limitBytes = SEGMENT_BYTES;
    steps.set(1, (keep) => (keep === 'nothing' ? 'evict' : { outcome: 'no-room' }));
    reclaimer.start();
    await eventually(() => store.segments.size === 1);
    assert.deepEqual(tried, ['1 chance', '1 nothing']);
  });
});

describe('a segment that a backup on the same disk has by a second name', () => {
  it('is not evicted in vain where the disk is short, and is once it has one name again', async (t) => {
    const { reclaimer, room, tried, store, time, messages, linked } = await reclaiming(t, {
      segments: 4,
    });
    const names = [await linked(1), await linked(2)];
    room.isDisk = true;
    room.limitBytes = 2 * SEGMENT_BYTES;
    reclaimer.start();
    await eventually(() => store.segments.size === 2);
    assert.deepEqual(tried, ['3 chance', '4 chance']);
    room.limitBytes = SEGMENT_BYTES;
    await aWhile();
    assert.deepEqual([...store.segments.keys()], [1, 2], 'nothing is left that would give room');
    assert.equal(messages.filter((text) => /second name/.test(text)).length, 1, 'told once');
    await unlink(names[1] ?? '');
    time.nowMs += 60_000;
    await eventually(() => store.segments.size === 1);
    assert.deepEqual([...store.segments.keys()], [1]);
  });

  it('is evicted where the quota is short: that counts what is ours', async (t) => {
    const { reclaimer, room, tried, store, linked } = await reclaiming(t, { segments: 2 });
    await linked(1);
    room.limitBytes = SEGMENT_BYTES;
    reclaimer.start();
    await eventually(() => store.segments.size === 1);
    assert.deepEqual(tried, ['1 chance']);
  });
});

describe('a segment with much garbage', () => {
  const hollow = async (t: Parameters<typeof reclaiming>[0], segments: number) => {
    const all = await reclaiming(t, { segments });
    for (const entry of [0, 1, 2]) await all.store.delete(`1/${entry}`);
    return all;
  };

  it('loses nothing when it cannot be read, while there is room', async (t) => {
    const { reclaimer, tried, store, steps, messages, time } = await hollow(t, 1);
    steps.set(1, () => ({ outcome: 'unreadable' }));
    reclaimer.start();
    await eventually(() => tried.length === 1);
    await aWhile();
    assert.deepEqual(tried, ['1 all']);
    assert.equal(store.count, 1);
    assert.deepEqual(messages, ['a segment cannot be reclaimed for now']);
    time.nowMs += 60_000;
    await eventually(() => tried.length === 2);
  });

  it('and a body that is never copied is not looked at again, but evicted for want of room', async (t) => {
    const { reclaimer, tried, store, steps, room } = await hollow(t, 2);
    steps.set(1, (keep) => (keep === 'nothing' ? 'evict' : { renew: '1/3' }));
    reclaimer.start();
    await eventually(() => tried.length === 1);
    await aWhile();
    assert.deepEqual(tried, ['1 all']);
    room.limitBytes = 0;
    await eventually(() => store.segments.size === 0);
    assert.deepEqual([tried[1], tried.at(-1)], ['1 chance', '1 nothing']);
  });

  it('is not taken for lost when the last entry goes while it is copied, and its file with it', async (t) => {
    const { reclaimer, tried, store, deadSegments, steps, messages } = await hollow(t, 2);
    steps.set(1, async () => {
      await store.delete('1/3');
      await deadSegments.sweep();
      return { outcome: 'missing' };
    });
    reclaimer.start();
    await eventually(() => tried.length === 1 && store.segments.size === 1);
    await aWhile();
    assert.deepEqual(messages, []);
  });

  it('is not rewritten while a backup holds it', async (t) => {
    const { reclaimer, tried, store, pins } = await hollow(t, 1);
    const pin = pins.pin([1]);
    reclaimer.start();
    await aWhile();
    assert.deepEqual(tried, []);
    pin.releaseAll();
    await eventually(() => store.segments.size === 0);
  });
});

describe('the room', () => {
  it('is measured, and those who wait are admitted, also during a long reclaim', async (t) => {
    const { reclaimer, room, steps } = await reclaiming(t, { segments: 1 });
    room.limitBytes = 0;
    let end = (): void => undefined;
    steps.set(1, () => new Promise((resolve) => (end = () => resolve('evict'))));
    reclaimer.start();
    await eventually(() => room.measured > 0);
    const { measured, admitted } = room;
    await eventually(() => room.measured >= measured + 3 && room.admitted >= admitted + 3);
    end();
    await reclaimer.stop();
    const atEnd = room.measured;
    await aWhile();
    assert.equal(room.measured, atEnd, 'and not after the stop');
  });
});
