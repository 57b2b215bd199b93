/** Who waits in a worker: what ends a wait, and that one reading serves all. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SettledEntry } from '../../../src/workers/leases/settled-entry.ts';
import { WaitingRoom } from '../../../src/workers/leases/waiting-room.ts';
import type { Content, Framing } from '../../../src/workers/store/store.ts';
import { recordOf } from '../../primary/store/store-setup.ts';

function room() {
  const left: string[] = [];
  return { left, waiting: new WaitingRoom((key, id) => left.push(`${key} ${id}`)) };
}

const framing = (prologue = ''): Framing => ({
  prologue: Buffer.from(prologue),
  epilogue: Buffer.alloc(0),
});

function contents() {
  const counts = { opened: 0, released: 0 };
  const open = async (whole: Buffer | undefined = Buffer.from('body')): Promise<Content> => {
    counts.opened += 1;
    return {
      byteLength: whole?.length ?? 5_000_000,
      whole,
      async *chunks() {},
      release: () => {
        counts.released += 1;
      },
    };
  };
  return { counts, open };
}

describe('the waiting room', () => {
  it('gives the lease to one and the entry to all others of the key', async () => {
    const { waiting, left } = room();
    const waits = ['a', 'a', 'a', 'b'].map((key) => waiting.begin(key));
    const [first, second, third, other] = waits;
    for (const wait of waits) wait.inLine();
    assert.equal(waiting.granted(second?.id ?? 0, 'token'), true);
    assert.equal(waiting.granted(second?.id ?? 0, 'token'), false, 'it has gone with the first');
    waiting.settled('a', recordOf('a'));
    assert.equal(waiting.size, 1);
    assert.deepEqual(await second?.outcome, { how: 'granted', token: 'token' });
    const [one, same] = [await first?.outcome, await third?.outcome];
    assert.ok(one?.how === 'settled' && one === same, 'one entry for all');
    assert.equal(one.entry.record('a')?.storedBytes, 10);
    waiting.settled('b', null);
    assert.deepEqual(await other?.outcome, { how: 'over' });
    assert.deepEqual(left, [], 'the primary knows');
  });

  it('gives the entry to nobody who is not in line: the primary answers that one by itself', async () => {
    const { waiting } = room();
    const [inLine, begun] = ['a', 'a'].map((key) => waiting.begin(key));
    inLine?.inLine();
    waiting.settled('a', recordOf('a'));
    const waited = await inLine?.outcome;
    assert.ok(waited?.how === 'settled');
    assert.equal(waiting.size, 1);
    const { counts, open } = contents();
    (await waited.entry.content(framing(), () => open())).release();
    waited.entry.served();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(counts.released, 1, 'it is kept for nobody else');
    begun?.forget();
    assert.equal(waiting.size, 0);
    begun?.inLine();
    waiting.settled('a', recordOf('a'));
    assert.deepEqual(await begun?.outcome, { how: 'over' });
  });

  it('tells the primary who leaves, by time, by itself or since the worker stops', async () => {
    const { waiting, left } = room();
    const [timed, gone, stopped] = ['a', 'b', 'c'].map((key) => waiting.begin(key));
    timed?.endAfter(1);
    gone?.leave();
    gone?.leave();
    assert.deepEqual(await timed?.outcome, { how: 'over' });
    waiting.close();
    assert.deepEqual(await stopped?.outcome, { how: 'over' });
    assert.deepEqual(left, ['b 2', 'a 1', 'c 3']);
    waiting.begin('e').forget();
    assert.deepEqual(left.length, 3, 'whom the primary does not know it need not forget');
    assert.deepEqual(await waiting.begin('d').outcome, { how: 'over' });
    assert.equal(waiting.size, 0);
  });
});

describe('an entry that has come', () => {
  it('is read once for all who are shown the same, and given back once by the last', async () => {
    const { counts, open } = contents();
    const entry = new SettledEntry(recordOf('a'), 3);
    const lent = await Promise.all([1, 2].map(() => entry.content(framing(), () => open())));
    const framed = await entry.content(framing('{'), () => open());
    assert.equal(counts.opened, 2);
    for (let nth = 0; nth < 3; nth++) entry.served();
    lent[0]?.release();
    lent[0]?.release();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(counts.released, 0, 'another still sends it');
    lent[1]?.release();
    assert.equal(counts.released, 1);
    framed.release();
    assert.equal(counts.released, 2);
  });

  it('is read by each for itself where it is streamed', async () => {
    const { counts, open } = contents();
    const streamed = async (): Promise<Content> => ({ ...(await open()), whole: undefined });
    const entry = new SettledEntry(recordOf('a'), 2);
    const all = await Promise.all([1, 2].map(() => entry.content(framing(), streamed)));
    for (const content of all) {
      entry.served();
      content.release();
    }
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(counts.opened, counts.released, 'what was opened to be shared too');
  });

  it('is given back where nobody is left to take it', async () => {
    const { counts, open } = contents();
    const entry = new SettledEntry(recordOf('a'), 1);
    const failing = entry.content(framing(), () => Promise.reject(new Error('gone')));
    await assert.rejects(failing, /gone/);
    entry.served();
    const other = new SettledEntry(Buffer.from('damaged'), 1);
    assert.equal(other.record('a'), undefined);
    (await other.content(framing(), () => open())).release();
    other.served();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(counts, { opened: 1, released: 1 });
  });
});
