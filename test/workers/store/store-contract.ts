/**
 * The contract of the Store interface as sentences. Every implementation runs the same suite:
 * `describeStore('MemoryStore', makeStore)`.
 */
import { after, before, describe } from 'node:test';
import { brokenBodies, closing, framing, largeBodies, races } from './contract-bodies.ts';
import { compression } from './contract-compression.ts';
import { parts, preconditions, staleness } from './contract-conditions.ts';
import { counters, listing, touching } from './contract-counters.ts';
import { entries, expiry, prefixes } from './contract-entries.ts';
import { costs, leases } from './contract-leases.ts';
import { purging } from './contract-purges.ts';
import type { MakeStore, StoreUnderTest } from './store-subject.ts';

export type { MakeStore, StoreUnderTest } from './store-subject.ts';

/** Runs the whole suite against the stores that `makeStore` gives, one for each group. */
export function describeStore(name: string, makeStore: MakeStore): void {
  const groups = {
    ...{ entries, framing, largeBodies, brokenBodies, expiry, prefixes, closing, races },
    ...{ preconditions, staleness, parts, leases, costs, purging },
    ...{ touching, counters, listing, compression },
  };
  for (const [group, describeGroup] of Object.entries(groups)) {
    describe(`${name}: ${group}`, () => {
      let current: StoreUnderTest | undefined;
      before(async () => {
        current = await makeStore();
      });
      after(async () => {
        const { dispose } = current ?? {};
        await dispose?.();
      });
      describeGroup(() => {
        if (current === undefined) throw new Error('the store under test was not made');
        return current;
      });
    });
  }
}
