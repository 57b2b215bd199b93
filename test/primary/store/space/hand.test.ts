/** The hand: what it removes, what it leaves, and when a purge counts as worked off. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Logger, pino } from 'pino';
import scanEntries, {
  type ScanRequest,
  type ScanResult,
} from '../../../../src/primary/jobs/scan-entries.ts';
import { EntryStore } from '../../../../src/primary/store/entry-store.ts';
import { entryKey } from '../../../../src/primary/store/index/index-keys.ts';
import { Hand, type HandOptions } from '../../../../src/primary/store/space/hand.ts';
import { encodeHandPosition } from '../../../../src/primary/store/space/hand-position.ts';
import type { Clock } from '../../../../src/primary/store/space/rate-limit.ts';
import { MISS_CODES } from '../../../../src/protocol/miss.ts';
import { eventually } from '../../../eventually.ts';
import { failWrites, holdWrites, openedIndex, recordOf, SILENT } from '../store-setup.ts';

type Scan = (request: ScanRequest) => Promise<ScanResult>;

interface Subject {
  /** Stands in for the job thread. */
  readonly scan?: Scan;
  readonly now?: () => number;
  readonly hand?: Partial<HandOptions>;
}

/** A hand over a store with these keys. */
async function handOver(
  test: Parameters<typeof openedIndex>[0],
  keys: readonly string[],
  { scan = scanEntries, now = Date.now, hand: options = {} }: Subject = {},
) {
  // No scan may be under way when the index is closed.
  const cleanUps: (() => Promise<void>)[] = [];
  const after = (cleanUp: () => Promise<void>): void => void cleanUps.unshift(cleanUp);
  test.after(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  });
  const { directory, index } = await openedIndex({ after });
  const store = await EntryStore.load(index, now);
  const segment = await store.grantSegment(1);
  const commit = (key: string, expiresAtMs = 0): Promise<unknown> =>
    store.commit(1, key, recordOf(key, { segment, expiresAtMs }));
  await Promise.all(keys.map((key) => commit(key)));
  const newHand = (over: EntryStore, differently: Partial<HandOptions> = {}): Hand => {
    const hand = new Hand({
      store: over,
      jobs: { scanEntries: scan },
      indexPath: directory.indexPath,
      entriesPerSecond: 1_000_000,
      log: SILENT,
      now,
      roundPauseMs: 10,
      ...options,
      ...differently,
    });
    after(() => hand.stop());
    return hand;
  };
  const hand = newHand(store);
  /** The store and its hand as a restart finds them; whatever it was doing has stopped by then. */
  const restart = async (differently?: Partial<HandOptions>) => {
    const again = await EntryStore.load(index, now);
    return { store: again, hand: newHand(again, differently) };
  };
  const has = async (key: string): Promise<boolean> =>
    (await index.get(entryKey(key))) !== undefined;
  return { store, hand, index, commit, has, restart };
}

/** Time that passes only while someone sleeps. */
class TestClock implements Clock {
  nowMs = 0;
  readonly elapsedMs = (): number => this.nowMs;
  readonly sleep = async (ms: number): Promise<void> => {
    this.nowMs += ms;
    await new Promise((resolve) => setImmediate(resolve));
  };
}

/** Collects what is logged. */
function newLog(): { readonly log: Logger; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line));
  return { log: pino({ level: 'debug' }, { write }), lines };
}

const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
const numbered = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, nth) => `${prefix}${String(nth).padStart(5, '0')}`);

describe('the hand', () => {
  it('removes what a purge took and nothing else, counts it, and forgets the purge', async (t) => {
    const { store, hand, has } = await handOver(t, ['a/1', 'a/2', 'a', 'b/1']);
    hand.start();
    const purge = await store.purge('a/');
    await hand.workOff(purge);
    assert.equal(purge.matched, 2);
    assert.equal(store.pendingPurges.length, 0);
    assert.equal(store.count, 2);
    assert.deepEqual(await Promise.all(['a/1', 'a/2', 'a', 'b/1'].map(has)), [
      false,
      false,
      true,
      true,
    ]);
  });

  it('works off all purges that are pending in one pass over their ranges', async (t) => {
    const scanned: string[][] = [];
    const { store, hand } = await handOver(t, ['a/1/x', 'a/2/x', 'b', 'c'], {
      scan: (request) => {
        scanned.push(request.ranges.map(({ gte, lt }) => `${textOf(gte)} to ${textOf(lt)}`));
        return scanEntries(request);
      },
    });
    const purges = [await store.purge('a/1/'), await store.purge('a/'), await store.purge('b')];
    const done = purges.map((purge) => hand.workOff(purge));
    hand.start();
    await Promise.all(done);
    assert.deepEqual(scanned[0], ['ea/ to ea0', 'eb to ec']);
    assert.equal(store.pendingPurges.length, 0);
    assert.deepEqual(
      purges.map(({ matched }) => matched),
      [1, 1, 1],
    );
    await hand.stop();
    assert.ok(!scanned.slice(1).some((ranges) => ranges.includes('eb to ec')));
  });

  it('works off 10,000 purges in one pass, and tells each chunk of few of them', async (t) => {
    const requests: ScanRequest[] = [];
    const { store, hand } = await handOver(t, [...numbered('p/', 10), 'p', 'q'], {
      scan: (request) => {
        if (request.purges.length > 0) requests.push(request);
        return scanEntries(request);
      },
    });
    const prefixes = ['p/', ...numbered('p/', 9_999)];
    const purges = await Promise.all(prefixes.map((prefix) => store.purge(prefix)));
    hand.start();
    await Promise.all(purges.map((purge) => hand.workOff(purge)));
    assert.equal(store.pendingPurges.length, 0);
    assert.equal(store.count, 2);
    assert.equal(purges[0]?.matched, 10);
    assert.equal(requests.length, 40);
    assert.ok(requests.every((request) => request.purges.length <= 257));
    assert.ok(requests.every(({ ranges }) => ranges.length === 1));
  });

  it('does not finish a purge whose batch was still being written when the pass began', async (t) => {
    let onScan: () => Promise<unknown> = async () => undefined;
    const { store, hand, index, commit } = await handOver(t, ['a/old'], {
      scan: async (request) => {
        const result = await scanEntries(request);
        await onScan();
        return result;
      },
    });
    const first = await store.purge('a/');
    const held = holdWrites(index);
    const writing = Promise.all([commit('a/new'), store.purge('a/')]);
    await held.reached;
    onScan = () => {
      onScan = async () => undefined;
      held.letGo();
      return writing;
    };
    hand.start();
    await hand.workOff(first);
    assert.equal((await store.lookUp(['a/new']))[0], MISS_CODES.purged);
    await eventually(() => store.pendingPurges.length === 0);
    assert.equal((await store.lookUp(['a/new']))[0], MISS_CODES['never-seen']);
  });

  it('keeps an entry that is written again while it is being scanned', async (t) => {
    let onScan: () => Promise<unknown> = async () => undefined;
    const { store, hand, commit } = await handOver(t, ['a/1', 'a/2'], {
      scan: async (request) => {
        const result = await scanEntries(request);
        await onScan();
        return result;
      },
    });
    const purge = await store.purge('a/');
    onScan = () => commit('a/1');
    hand.start();
    await hand.workOff(purge);
    assert.equal(purge.matched, 2, 'the old entry counts, whoever removed it');
    assert.ok(Buffer.isBuffer((await store.lookUp(['a/1']))[0]));
    assert.equal(store.count, 1);
  });

  it('goes on where a chunk ended', async (t) => {
    const begins: string[] = [];
    const { store, hand } = await handOver(t, [], {
      scan: async ({ at }) => {
        begins.push(textOf(at));
        const next = ['ea1', 'ea2'][begins.length - 1];
        const scanned = { scanned: 1, dead: [], share: 0.5 };
        return { ...scanned, next: next === undefined ? next : Buffer.from(next) };
      },
    });
    const purge = await store.purge('a');
    hand.start();
    await hand.workOff(purge);
    await hand.stop();
    assert.deepEqual(begins.slice(0, 3), ['e', 'ea1', 'ea2']);
  });

  it('tries again after a job has failed', async (t) => {
    let failures = 0;
    const { store, hand, has } = await handOver(t, ['a/1'], {
      scan: (request) => {
        if (failures > 0) return scanEntries(request);
        failures += 1;
        return Promise.reject(new Error('the thread ended'));
      },
    });
    const purge = await store.purge('a/');
    const done = hand.workOff(purge);
    hand.start();
    await done;
    assert.equal(failures, 1);
    assert.equal(await has('a/1'), false);
  });

  it('removes an expired entry a minute after its time, in its round', async (t) => {
    let nowMs = 1_000_000;
    let rounds = 0;
    const { store, hand, commit, has } = await handOver(t, ['lasting'], {
      scan: async (request) => {
        const result = await scanEntries(request);
        rounds += 1;
        return result;
      },
      now: () => nowMs,
    });
    await commit('short', nowMs + 1000);
    hand.start();
    nowMs += 60_999;
    await eventually(() => rounds > 0);
    assert.ok(await has('short'), 'it still says that it is expired');
    nowMs += 1001;
    await eventually(async () => !(await has('short')));
    assert.equal(store.count, 1);
  });

  it('lets go of those who wait when it stops, and of who comes after', async (t) => {
    const { store, hand } = await handOver(t, ['a']);
    const purge = await store.purge('a');
    const waiting = hand.workOff(purge);
    await hand.stop();
    await waiting;
    await hand.workOff(purge);
    assert.deepEqual(store.pendingPurges, [purge], 'it stays for the next start');
  });

  it('leaves those who wait alone with a purge when the index takes no writes', async (t) => {
    const { store, hand, index } = await handOver(t, ['a']);
    const purge = await store.purge('a');
    t.after(failWrites(index, 'No space left on device', 'LEVEL_IO_ERROR'));
    const done = hand.workOff(purge);
    hand.start();
    await done;
    await hand.workOff(purge);
    assert.deepEqual(store.pendingPurges, [purge]);
  });
});

describe('the position of the hand', () => {
  const KEYS = numbered('a/', 5000);

  it('is kept over a stop: a purge is not begun anew', async (t) => {
    let chunks = 0;
    const begins: string[] = [];
    const { store, hand, restart } = await handOver(t, KEYS, {
      hand: { entriesPerSecond: 10_000 },
      scan: async (request) => {
        const result = await scanEntries(request);
        if (request.purges.length > 0) begins.push(textOf(request.at));
        chunks += 1;
        return result;
      },
    });
    await store.purge('a/');
    hand.start();
    await eventually(() => chunks >= 2);
    await hand.stop();
    const removed = KEYS.length - store.count;
    assert.ok(removed >= 2000 && removed < KEYS.length, `${removed} removed`);
    assert.equal(hand.progress.removed, removed);
    const before = begins.length;
    const again = await restart();
    assert.equal(again.hand.progress.removed, removed, 'the figures go on too');
    again.hand.start();
    const [purge] = again.store.pendingPurges;
    assert.ok(purge !== undefined);
    await again.hand.workOff(purge);
    assert.equal(begins[before], `e${KEYS[removed - 1]}\0`);
    assert.equal(again.store.count, 0);
  });

  it('holds for the purges that it was saved for, not for those that came later', async (t) => {
    let chunks = 0;
    const { store, hand, restart, has, commit } = await handOver(t, KEYS, {
      hand: { entriesPerSecond: 10_000 },
      scan: (request) => {
        chunks += 1;
        return scanEntries(request);
      },
    });
    await store.purge('a/');
    hand.start();
    await eventually(() => chunks >= 2);
    await hand.stop();
    await commit('a/00000');
    await store.purge('a/0');
    const again = await restart();
    again.hand.start();
    await eventually(() => again.store.pendingPurges.length === 0);
    assert.equal(await has('a/00000'), false, 'it lay behind the position of the first purge');
    assert.equal(again.store.count, 0);
  });

  it('is saved on the way, for a process that is killed', async (t) => {
    let chunks = 0;
    const { store, hand, restart } = await handOver(t, [], {
      scan: async ({ at }) => {
        chunks += 1;
        const next = Buffer.from(`${textOf(at).slice(0, 2)}${String(chunks).padStart(6, '0')}`);
        return { scanned: 1, dead: [], next, share: 0.25 };
      },
    });
    await store.purge('a');
    hand.start();
    await eventually(() => chunks > 100);
    const again = await restart();
    assert.equal(again.hand.progress.state, 'purging');
    assert.ok(again.hand.progress.scanned >= 64, `${again.hand.progress.scanned} scanned`);
  });

  it('is kept for a round', async (t) => {
    const begins: string[] = [];
    const { hand, restart, commit } = await handOver(t, [], {
      hand: { entriesPerSecond: 10_000 },
      scan: (request) => {
        begins.push(textOf(request.at));
        return scanEntries(request);
      },
    });
    await Promise.all(KEYS.map((key) => commit(key, 1000)));
    hand.start();
    await eventually(() => begins.length >= 2);
    await hand.stop();
    const { removed } = hand.progress;
    assert.ok(removed >= 2000 && removed < KEYS.length, `${removed} removed`);
    const before = begins.length;
    const again = await restart({ roundPauseMs: 1_000_000 });
    assert.equal(again.hand.progress.state, 'round');
    again.hand.start();
    await eventually(() => again.store.count === 0);
    assert.equal(begins[before], `e${KEYS[removed - 1]}\0`);
  });

  it('that is damaged is ignored', async (t) => {
    const { store, restart, has } = await handOver(t, ['a/1', 'a/2']);
    await store.purge('a/');
    const [purge] = store.pendingPurges;
    const saved = encodeHandPosition({
      purging: {
        upTo: purge?.version ?? 0,
        at: entryKey('a/2'),
        startedAtMs: 1,
        scanned: 1,
        removed: 1,
      },
      round: undefined,
    });
    saved.writeUInt8(saved.readUInt8(20) ^ 1, 20);
    await store.saveHandPosition(saved);
    const again = await restart();
    again.hand.start();
    await eventually(() => again.store.pendingPurges.length === 0);
    assert.equal(await has('a/1'), false);
  });
});

describe('the rate of the hand', () => {
  it('bounds a pass and a round', async (t) => {
    const clock = new TestClock();
    const spent: { isRound: boolean; scanned: number; atMs: number }[] = [];
    const { store, hand } = await handOver(t, numbered('a/', 3000), {
      hand: { entriesPerSecond: 1000, clock },
      scan: async (request) => {
        const result = await scanEntries(request);
        const isRound = request.purges.length === 0;
        spent.push({ isRound, scanned: result.scanned, atMs: clock.nowMs });
        return result;
      },
    });
    const purge = await store.purge('a/00');
    hand.start();
    await hand.workOff(purge);
    await eventually(() => spent.filter(({ isRound }) => isRound).length > 20);
    await hand.stop();
    for (const kind of [true, false]) {
      const chunks = spent.filter(({ isRound }) => isRound === kind).slice(0, 11);
      const [first, last] = [chunks.at(0), chunks.at(-1)];
      const entries = chunks.slice(0, -1).reduce((sum, { scanned }) => sum + scanned, 0);
      const tookMs = (last?.atMs ?? 0) - (first?.atMs ?? 0);
      assert.ok(entries >= 900, `${entries} entries`);
      assert.ok(entries <= tookMs + 250, `${entries} entries in ${tookMs} ms`);
    }
  });

  it('holds no prefix delete up for what a round has done', async (t) => {
    const sleeping: number[] = [];
    const clock: Clock = {
      elapsedMs: () => 0,
      sleep: (ms, signal) => {
        sleeping.push(ms);
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
      },
    };
    const { store, hand } = await handOver(t, [...numbered('a/', 3000), 'b'], {
      hand: { entriesPerSecond: 1000, clock, roundPauseMs: 0 },
    });
    hand.start();
    await eventually(() => hand.progress.state === 'round' && sleeping.length > 0);
    await hand.workOff(await store.purge('b'));
    assert.equal(store.pendingPurges.length, 0);
    assert.equal(hand.progress.state, 'round', 'which it goes on with afterwards');
  });

  it('leaves a round its share under purges that never end', async (t) => {
    let isOver = false;
    const { store, hand, commit, has } = await handOver(t, [], {
      hand: { roundPauseMs: 0 },
    });
    await commit('short', 1000);
    hand.start();
    const purging = (async () => {
      for (let nth = 0; !isOver && nth < 10_000; nth++) {
        await store.purge(`a/${nth}`);
        await store.purge(`b/${nth}`);
      }
    })();
    await eventually(async () => !(await has('short')));
    isOver = true;
    await purging;
  });
});

describe('the progress of the hand', () => {
  it('tells what is under way', async (t) => {
    let letGo = (): void => undefined;
    const shares: number[] = [];
    const { store, hand } = await handOver(t, [], {
      hand: { roundPauseMs: 1_000_000 },
      now: () => 5000,
      scan: async () => {
        await new Promise<void>((resolve) => {
          letGo = resolve;
        });
        const share = [0, 0.25, 0.75][shares.length] ?? 1;
        shares.push(share);
        const next = share < 0.75 ? Buffer.from(`ea${shares.length}`) : undefined;
        return { scanned: 10, dead: [{ key: 'a', version: 1 }], next, share };
      },
    });
    const idle = { state: 'idle', purges: 0, scanned: 0, removed: 0, share: 0, startedAtMs: 0 };
    assert.deepEqual(hand.progress, idle);
    await store.purge('a');
    const purge = await store.purge('a1');
    hand.start();
    const done = hand.workOff(purge);
    for (const scanned of [0, 10, 20]) {
      await eventually(() => hand.progress.scanned === scanned && hand.progress.purges === 2);
      const share = scanned === 20 ? 0.25 : 0;
      const figures = { purges: 2, scanned, removed: 0, share, startedAtMs: 5000 };
      assert.deepEqual(hand.progress, { state: 'purging', ...figures });
      await eventually(() => shares.length === scanned / 10);
      letGo();
    }
    await done;
    await eventually(() => hand.progress.state === 'idle');
    assert.deepEqual(hand.progress, idle);
  });

  it('ends with a line in the log, for everybody after more than 100,000 removals', async (t) => {
    const { log, lines } = newLog();
    const { store, hand } = await handOver(t, ['a/1', 'a/2', 'b'], {
      hand: { log, roundPauseMs: 1_000_000 },
    });
    hand.start();
    await hand.workOff(await store.purge('a/'));
    assert.deepEqual(
      lines.map(({ level, msg, purges, scanned, removed }) => {
        return { level, msg, purges, scanned, removed };
      }),
      [{ level: 20, msg: 'purges worked off', purges: 1, scanned: 2, removed: 2 }],
    );
    store.removeSeen = async (seen) => seen.length * 100_001;
    const purge = await store.purge('b');
    await hand.workOff(purge);
    assert.deepEqual([lines.at(-1)?.['level'], lines.at(-1)?.['removed']], [30, 100_001]);
  });
});
