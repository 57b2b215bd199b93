/** The store contract: leases, what they are lost by, who waits, and what entries have cost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EntryRecord } from '../../../src/protocol/record.ts';
import type { LeasedRead, Reading } from '../../../src/workers/store/store.ts';
import { eventually } from '../../eventually.ts';
import {
  assertBytes,
  bytesOf,
  missReason,
  RAW_META,
  read,
  rejectsWith,
  type Subject,
} from './store-subject.ts';

const LEASE_MS = 30_000;
const WAIT_MS = 20_000;
const LOST = 'LEASE_LOST';
const BODY = Buffer.from('<p>made once</p>');

export function leases(subject: Subject): void {
  const ask = (key: string, waitMs = 0, reading: Reading = {}): Promise<LeasedRead> =>
    subject().store.getLeased(key, reading, { leaseMs: LEASE_MS, waitMs });
  /** Asks, and resolves with what came of it once the wait has begun. */
  const waiting = async (key: string, waitMs = WAIT_MS) => {
    let leave: (() => void) | undefined;
    const outcome = subject().store.getLeased(
      key,
      {},
      {
        leaseMs: LEASE_MS,
        waitMs,
        onWait: (leaveNow) => {
          leave = leaveNow;
        },
      },
    );
    await eventually(() => leave !== undefined);
    return { outcome, leave: () => leave?.() };
  };
  const tokenFor = async (key: string, reading: Reading = {}): Promise<string> => {
    const { token, found } = await ask(key, 0, reading);
    if (found.found) found.content.release();
    assert.ok(token !== undefined, `the lease of ${key}`);
    return token;
  };
  const put = (key: string, token?: string) =>
    subject().store.put(key, RAW_META, BODY, undefined, token);

  test('of many callers exactly one is given the lease, and the others the entry', async () => {
    const { store, unreleased } = subject();
    const callers = Array.from({ length: 20 }, () => ask('one', WAIT_MS));
    const first = await Promise.race(callers);
    assert.ok(first.token !== undefined && !first.found.found);
    assert.equal(first.found.reason, 'never-seen');
    await put('one', first.token);
    const outcomes = await Promise.all(callers);
    assert.equal(outcomes.filter(({ token }) => token !== undefined).length, 1);
    for (const { found, token } of outcomes) {
      if (token !== undefined) continue;
      assert.ok(found.found);
      assertBytes(await bytesOf(found.content), BODY, 'what was waited for');
    }
    assert.equal(unreleased?.() ?? 0, 0);
    assertBytes(await read(store, 'one'), BODY, 'the entry');
  });

  test('who may not wait is told when the lease ends', async () => {
    const token = await tokenFor('busy');
    const { found, token: none, retryAfterMs } = await ask('busy');
    assert.ok(!found.found && none === undefined);
    assert.ok(retryAfterMs > 0 && retryAfterMs <= LEASE_MS, `${retryAfterMs} ms`);
    assert.equal(await subject().store.releaseLease('busy', token), true);
  });

  test('a wait that ends first finds a miss, without the lease', async () => {
    const token = await tokenFor('short');
    const { found, token: none } = await ask('short', 20);
    assert.ok(!found.found && none === undefined);
    await put('short', token);
  });

  test('who leaves waits no more, and the next in line is given what was his', async () => {
    const { store } = subject();
    const token = await tokenFor('line');
    const [gone, next] = [await waiting('line'), await waiting('line')];
    gone.leave();
    assert.equal((await gone.outcome).token, undefined);
    assert.equal(await store.releaseLease('line', token), true);
    const { token: handed } = await next.outcome;
    assert.ok(handed !== undefined && handed !== token);
    await put('line', handed);
  });

  test('a lease that is released or deleted goes to who has waited longest', async () => {
    const { store } = subject();
    const token = await tokenFor('handed');
    const [second, third] = [await waiting('handed'), await waiting('handed')];
    assert.equal(await store.releaseLease('handed', 'x'.repeat(54)), false);
    assert.equal(await store.releaseLease('handed', token), true);
    assert.equal(await store.releaseLease('handed', token), false);
    const { token: ofSecond } = await second.outcome;
    assert.ok(ofSecond !== undefined);
    assert.equal(await store.delete('handed'), false);
    const { token: ofThird } = await third.outcome;
    assert.ok(ofThird !== undefined);
    await rejectsWith(put('handed', ofSecond), LOST);
    await put('handed', ofThird);
  });

  test('a lease that was purged goes on too, and one whose write comes too late', async () => {
    const { store } = subject();
    const token = await tokenFor('purged/a');
    const next = await waiting('purged/a');
    await store.deletePrefix('purged/');
    const { token: fresh } = await next.outcome;
    assert.ok(fresh !== undefined);
    await rejectsWith(put('purged/a', token), LOST);
    await put('purged/a', fresh);
  });

  test('a lease whose time is over goes to who waits, and its token stays good', async (t) => {
    const { advance } = subject();
    if (advance === undefined) return t.skip('the clock of this store cannot be moved');
    const token = await tokenFor('slow');
    const next = await waiting('slow');
    advance(LEASE_MS);
    const { token: second } = await next.outcome;
    assert.ok(second !== undefined && second !== token);
    const third = await waiting('slow');
    await put('slow', token);
    const { found } = await third.outcome;
    assert.ok(found.found, 'the late write is what all wait for');
    found.content.release();
    await rejectsWith(put('slow', second), LOST);
  });

  test('time alone loses no lease', async (t) => {
    const { advance } = subject();
    if (advance === undefined) return t.skip('the clock of this store cannot be moved');
    const token = await tokenFor('late');
    advance(24 * 3600_000);
    assert.ok((await put('late', token)).created);
  });

  test('a write without a token wins and ends the lease', async () => {
    const token = await tokenFor('won');
    const waiter = await waiting('won');
    await put('won');
    const { found } = await waiter.outcome;
    assert.ok(found.found);
    found.content.release();
    await rejectsWith(put('won', token), LOST);
  });

  test('a token is lost by a deletion that found nothing, a purge that matched nothing, a clear', async () => {
    const { store } = subject();
    const losing: [string, () => Promise<unknown>][] = [
      ['lost/deleted', () => store.delete('lost/deleted')],
      ['lost/purged', () => store.deletePrefix('lost/pur')],
      ['lost/cleared', () => store.clear()],
    ];
    for (const [key, lose] of losing) {
      const token = await tokenFor(key);
      await lose();
      await rejectsWith(put(key, token), LOST);
      assert.notEqual(await missReason(store, key), 'found');
      await put(key, await tokenFor(key));
    }
  });

  test('a token is lost by none of these for another key', async () => {
    const { store } = subject();
    const token = await tokenFor('kept/a');
    await store.put('kept/b', RAW_META, BODY);
    await store.delete('kept/b');
    await store.deletePrefix('kept/ab');
    await put('kept/a', token);
  });

  test('a token is good for one write, for its own key, and as it was given', async () => {
    const { store } = subject();
    const token = await tokenFor('own');
    await rejectsWith(put('other', token), LOST);
    const forged = `${token.slice(0, -2)}${token.endsWith('AA') ? 'BB' : 'AA'}`;
    await rejectsWith(put('own', forged), LOST);
    await rejectsWith(put('own', 'no token at all'), LOST);
    await put('own', token);
    await rejectsWith(put('own', token), LOST);
    assertBytes(await read(store, 'own'), BODY, 'the one write');
  });

  test('of a stale entry one caller gets the lease, and all its body', async () => {
    const { store, now } = subject();
    const staleWhileRevalidateUntilMs = now() + 3600_000;
    const meta = { ...RAW_META, expiresAtMs: now() - 1, staleWhileRevalidateUntilMs };
    await store.put('stale', meta, BODY);
    const first = await ask('stale', WAIT_MS, { stale: 'while-revalidate' });
    const second = await ask('stale', WAIT_MS, { stale: 'while-revalidate' });
    for (const { found } of [first, second]) {
      assert.ok(found.found);
      assertBytes(await bytesOf(found.content), BODY, 'stale');
    }
    assert.ok(first.token !== undefined && second.token === undefined);
    const { found } = await ask('stale');
    assert.equal(found.found, false, 'who shows nothing stale is told to ask again');
    await put('stale', first.token);
    const fresh = await ask('stale');
    assert.ok(fresh.found.found && fresh.token === undefined);
    fresh.found.content.release();
  });
}

export function costs(subject: Subject): void {
  const costOf = async (key: string): Promise<number> => {
    const record = (await subject().store.find(key)) as EntryRecord;
    return record.costMs;
  };

  test('a write that follows a miss has cost the time in between', async (t) => {
    const { store, advance } = subject();
    if (advance === undefined) return t.skip('the clock of this store cannot be moved');
    assert.equal(await missReason(store, 'made'), 'never-seen');
    advance(450);
    await store.put('made', RAW_META, BODY);
    assert.equal(await costOf('made'), 450);
    await store.put('unasked', RAW_META, BODY);
    assert.equal(await costOf('unasked'), 0);
    assertBytes(await read(store, 'made'), BODY, 'a record with a cost is whole');
  });

  test('what is said of a cost is kept', async () => {
    const { store } = subject();
    await store.put('said', { ...RAW_META, costMs: 1234 }, BODY);
    assert.equal(await costOf('said'), 1234);
  });
}
