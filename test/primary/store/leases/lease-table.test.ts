/** Who holds a lease, who waits, in what order, and what ends it: by a clock that the test moves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  LEASE_LIMITS,
  type LeaseLimits,
  LeaseTable,
  type Waiting,
} from '../../../../src/primary/store/leases/lease-table.ts';
import { newPurge, Purges } from '../../../../src/primary/store/purges/purges.ts';
import { MISS_CODES } from '../../../../src/protocol/miss.ts';

const LEASE_MS = 10_000;
const MISSED = { miss: MISS_CODES['never-seen'], tags: [] };
const RECORD = Buffer.from('record');

/** A worker that writes down what it is told. */
class Place implements Waiting {
  readonly place: number;
  readonly told: string[] = [];
  readonly tokens = new Map<number, string>();

  constructor(place: number) {
    this.place = place;
  }

  granted(key: string, waiter: number, token: string): void {
    this.told.push(`${key} is ${waiter}'s`);
    this.tokens.set(waiter, token);
  }

  settled(key: string, record: Buffer | undefined): void {
    this.told.push(`${key} ${record === undefined ? 'is over' : 'is there'}`);
  }
}

function tableWith(limits: Partial<LeaseLimits> = {}) {
  const clock = { nowMs: Date.UTC(2030, 0, 1) };
  const purges = new Purges();
  const table = new LeaseTable(purges, 1, () => clock.nowMs, { ...LEASE_LIMITS, ...limits });
  let version = 1;
  const publish = (
    keys: readonly (readonly [string, Buffer | null])[],
    hasPurges = false,
  ): void => {
    version += 1;
    table.published({ keys: new Map(keys), hasPurges, version });
  };
  const acquire = (key: string, at?: Place, id = 0) =>
    table.acquire(key, LEASE_MS, MISSED, at === undefined ? undefined : { at, id });
  const tokenFor = (key: string): string => {
    const { token } = acquire(key);
    assert.ok(token !== undefined, `the lease of ${key}`);
    return token;
  };
  return {
    table,
    clock,
    acquire,
    tokenFor,
    isGood: (key: string, token: string) => table.isGood(key, [], token),
    write: (key: string) => publish([[key, RECORD]]),
    remove: (key: string) => publish([[key, null]]),
    purge: (prefix: string) => {
      purges.add(newPurge({ version: version + 1, prefix }));
      publish([], true);
      return version;
    },
    finish: (purge: number) => {
      purges.remove(purge);
      publish([]);
    },
    nothing: () => publish([]),
  };
}

describe('the lease table', () => {
  it('gives each key to one, and tells the others when to ask again', () => {
    const { acquire, clock, table } = tableWith();
    assert.ok(acquire('a').token !== undefined);
    assert.ok(acquire('b').token !== undefined);
    clock.nowMs += 4000;
    assert.deepEqual(acquire('a'), { token: undefined, retryAfterMs: 6000, isWaiting: false });
    assert.deepEqual([table.counts.held, table.counts.given], [2, 2]);
    table.close();
  });

  it('tells a worker once that an entry is there, however many wait in it', () => {
    const { acquire, write, table } = tableWith();
    const [one, other, idle] = [new Place(1), new Place(2), new Place(3)];
    acquire('a');
    for (let id = 1; id <= 500; id++) acquire('a', id % 2 === 0 ? one : other, id);
    acquire('b');
    acquire('b', idle, 1);
    write('a');
    assert.deepEqual([one.told, other.told], [['a is there'], ['a is there']]);
    assert.deepEqual(idle.told, []);
    assert.equal(table.counts.waiting, 1);
    table.close();
    assert.deepEqual(idle.told, ['b is over']);
    assert.equal(table.counts.waiting, 0);
  });

  it('hands over in the order of coming, across workers, when the time is over', () => {
    const { acquire, clock, table } = tableWith();
    const [one, other] = [new Place(1), new Place(2)];
    acquire('a');
    acquire('a', one, 7);
    acquire('a', other, 7);
    clock.nowMs += LEASE_MS - 1;
    table.expire();
    assert.deepEqual(one.told, []);
    clock.nowMs += 1;
    table.expire();
    assert.deepEqual([one.told, other.told], [["a is 7's"], []]);
    clock.nowMs += LEASE_MS;
    assert.equal(acquire('a').token, undefined, 'a newcomer comes after those who wait');
    assert.deepEqual(other.told, ["a is 7's"]);
    clock.nowMs += LEASE_MS;
    assert.ok(acquire('a').token !== undefined, 'nobody waits any more');
    table.close();
  });

  it('lets a lease be released by its holder alone, whatever was given in the same moment', () => {
    const { acquire, tokenFor, table } = tableWith();
    const place = new Place(1);
    const token = tokenFor('a');
    const foreign = tokenFor('b');
    acquire('a', place, 1);
    assert.equal(table.release('a', foreign), false);
    assert.equal(table.release('nothing', token), false);
    assert.equal(table.release('a', token), true);
    assert.equal(table.release('a', token), false, 'it is another holder now');
    assert.equal(table.release('a', place.tokens.get(1) ?? ''), true);
    assert.equal(table.counts.held, 1);
    table.close();
  });

  it('ends leases that are deleted or purged, so that nobody waits for a write to be refused', () => {
    const { acquire, remove, purge, tokenFor, isGood, table } = tableWith();
    const place = new Place(1);
    const first = tokenFor('p/a');
    for (const id of [1, 2, 3]) acquire('p/a', place, id);
    remove('p/a');
    assert.deepEqual(place.told, ["p/a is 1's"]);
    purge('p/');
    assert.deepEqual(place.told, ["p/a is 1's", "p/a is 2's"]);
    purge('p/b');
    assert.equal(place.told.length, 2);
    purge('');
    assert.equal(place.told.length, 3);
    const good = [first, ...place.tokens.values()].map((token) => isGood('p/a', token));
    assert.deepEqual(good, [false, false, false, true]);
    table.close();
  });

  it('forgets who leaves, and all of a worker that dies, but no lease', () => {
    const { acquire, table, tokenFor } = tableWith();
    const [dead, alive] = [new Place(1), new Place(2)];
    const token = tokenFor('a');
    acquire('a', dead, 1);
    acquire('a', dead, 2);
    acquire('a', alive, 1);
    acquire('a', alive, 2);
    table.leave('a', { at: alive, id: 1 });
    table.leave('a', { at: alive, id: 1 });
    table.leaveAll(dead);
    assert.deepEqual([table.counts.held, table.counts.waiting], [1, 1]);
    table.release('a', token);
    assert.deepEqual([dead.told, alive.told], [[], ["a is 2's"]]);
    table.close();
  });

  it('keeps to its limits: what is too much is told to ask again', () => {
    const { acquire, table } = tableWith({ leasesMax: 2, waitersMax: 3 });
    const place = new Place(1);
    for (const key of ['a', 'b']) assert.ok(acquire(key).token !== undefined);
    const refused = acquire('c', place, 9);
    assert.deepEqual([refused.token, refused.isWaiting], [undefined, false]);
    assert.ok(refused.retryAfterMs > 0);
    for (const id of [1, 2, 3]) assert.equal(acquire('a', place, id).isWaiting, true);
    assert.equal(acquire('b', place, 4).isWaiting, false);
    assert.equal(table.counts.refused, 2);
    table.close();
  });

  it('is not made longer by a clock that was set back', () => {
    const { acquire, clock, table } = tableWith();
    acquire('a');
    clock.nowMs -= 3600_000;
    assert.ok(acquire('a').token !== undefined);
    table.close();
  });

  it('gives nothing any more once it is closed', () => {
    const { acquire, table } = tableWith();
    table.close();
    assert.equal(acquire('a').token, undefined);
  });
});

describe('a lease token', () => {
  it('is good after any time, also beside those that came after it', () => {
    const { tokenFor, isGood, clock, table } = tableWith();
    const first = tokenFor('a');
    clock.nowMs += 365 * 24 * 3600_000;
    table.expire();
    const second = tokenFor('a');
    assert.notEqual(first, second);
    assert.deepEqual([isGood('a', first), isGood('a', second)], [true, true]);
    table.close();
  });

  it('is lost by a purge that has finished, and one that was given after it is not', () => {
    const { tokenFor, isGood, purge, finish, table } = tableWith();
    const before = tokenFor('p/a');
    const spared = tokenFor('q');
    const id = purge('p/');
    finish(id);
    const after = tokenFor('p/a');
    assert.deepEqual([isGood('p/a', before), isGood('p/a', after)], [false, true]);
    assert.equal(isGood('q', spared), true);
    purge('');
    assert.equal(isGood('q', spared), false);
    assert.equal(isGood('q', tokenFor('q')), true, 'one that is given right after a clear is good');
    table.close();
  });

  it('is of one key, and nobody else can make one', () => {
    const { tokenFor, isGood, table } = tableWith();
    const token = tokenFor('a');
    tokenFor('b');
    assert.equal(isGood('b', token), false);
    const bytes = Buffer.from(token, 'base64url');
    for (let at = 0; at < bytes.length; at++) {
      const forged = Buffer.from(bytes);
      forged[at] = (forged[at] ?? 0) ^ 1;
      assert.equal(isGood('a', forged.toString('base64url')), false, `byte ${at}`);
    }
    const { tokenFor: tokenElsewhere, table: elsewhere } = tableWith();
    assert.equal(isGood('a', tokenElsewhere('a')), false, 'another opening of the store');
    for (const text of ['', 'x', '='.repeat(54), 'é'.repeat(54)]) {
      assert.equal(isGood('a', text), false);
    }
    table.close();
    elsewhere.close();
  });

  it('is lost where too many keys are watched, the oldest first', () => {
    const { tokenFor, isGood, clock, table } = tableWith({ keysMax: 3 });
    const tokens = ['a', 'b', 'c', 'd'].map((key) => [key, tokenFor(key)] as const);
    assert.deepEqual(
      tokens.map(([key, token]) => isGood(key, token)),
      [false, true, true, true],
    );
    clock.nowMs += LEASE_MS;
    table.expire();
    const long = tableWith({ unitsMax: 10 });
    const [first, second] = ['123456', 'abcdef'].map((key) => [key, long.tokenFor(key)] as const);
    assert.equal(long.isGood(first?.[0] ?? '', first?.[1] ?? ''), false);
    assert.equal(long.isGood(second?.[0] ?? '', second?.[1] ?? ''), true);
    long.table.close();
    table.close();
  });
});
