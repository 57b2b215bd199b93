/** Any history of leases, writes, deletions and purges judges tokens as a list of all of it does. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LeaseTable, type Waiting } from '../../../../src/primary/store/leases/lease-table.ts';
import { newPurge, type Purge, Purges } from '../../../../src/primary/store/purges/purges.ts';
import { MISS_CODES } from '../../../../src/protocol/miss.ts';
import { MemoryLeases } from '../../../workers/store/memory-leases.ts';

const KEYS = ['a', 'ab', 'b/1', 'b/2', 'b/22'];
const PREFIXES = ['', 'a', 'b', 'b/', 'b/2', 'c'];
const LEASE_MS = 100;

type Step =
  | { readonly do: 'lease' | 'wait' | 'write' | 'delete' | 'release'; readonly key: string }
  | { readonly do: 'purge'; readonly prefix: string }
  | { readonly do: 'finish' | 'later' };

const key = fc.constantFrom(...KEYS);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('lease', 'wait', 'write', 'delete', 'release'), key }),
  fc.record({ do: fc.constant('purge' as const), prefix: fc.constantFrom(...PREFIXES) }),
  fc.record({ do: fc.constantFrom('finish', 'later') }),
);

/** The real table and its model, which are given the same history. */
class Both {
  nowMs = 1_000_000;
  readonly #purges = new Purges();
  readonly table = new LeaseTable(this.#purges, 1, () => this.nowMs);
  readonly model = new MemoryLeases(() => this.nowMs);
  /** Tokens in the order in which they were given, of both. */
  readonly given: { key: string; real: string; model: string }[] = [];
  readonly #real: (readonly [string, string])[] = [];
  readonly #modelTokens: (readonly [string, string])[] = [];
  readonly #pending: Purge[] = [];
  #version = 1;
  #waiters = 0;
  readonly #place: Waiting = {
    place: 1,
    granted: (leased, _waiter, token) => this.#real.push([leased, token]),
    settled: () => undefined,
  };

  async take(one: Step): Promise<void> {
    if (one.do === 'lease' || one.do === 'wait') this.#acquire(one.key, one.do === 'wait');
    else if (one.do === 'write') this.#change(one.key, Buffer.from('record'));
    else if (one.do === 'delete') this.#change(one.key, null);
    else if (one.do === 'release') this.#release(one.key);
    else if (one.do === 'purge') this.#purge(one.prefix);
    else if (one.do === 'finish') this.#finish();
    else this.nowMs += LEASE_MS / 2;
    this.table.expire();
    this.model.expire();
    // The model's waiters hear of it by promises.
    await Promise.resolve();
    await Promise.resolve();
    this.#pair();
  }

  #acquire(leased: string, mayWait: boolean): void {
    this.#waiters += 1;
    const waiter = mayWait ? { at: this.#place, id: this.#waiters } : undefined;
    const miss = { miss: MISS_CODES['never-seen'], tags: [] };
    const real = this.table.acquire(leased, LEASE_MS, miss, waiter);
    const model = this.model.acquire(leased, LEASE_MS, mayWait);
    assert.equal(real.token === undefined, model.token === undefined, `the lease of ${leased}`);
    assert.equal(real.isWaiting, model.outcome !== undefined);
    assert.equal(real.retryAfterMs, model.retryAfterMs);
    if (real.token !== undefined) this.#real.push([leased, real.token]);
    if (model.token !== undefined) this.#modelTokens.push([leased, model.token]);
    void model.outcome?.then((token) => {
      if (token !== undefined && token !== 'entry') this.#modelTokens.push([leased, token]);
    });
  }

  #publish(keys: readonly (readonly [string, Buffer | null])[], hasPurges: boolean): void {
    this.#version += 1;
    this.table.published({ keys: new Map(keys), hasPurges, version: this.#version });
  }

  #change(changed: string, record: Buffer | null): void {
    this.#publish([[changed, record]], false);
    this.model.happened((other) => other === changed, record === null ? undefined : changed);
  }

  #release(released: string): void {
    const token = this.given.findLast((one) => one.key === released);
    const real = this.table.release(released, token?.real ?? 'none');
    assert.equal(real, this.model.release(released, token?.model ?? 'none'));
  }

  #purge(prefix: string): void {
    const purge = newPurge({ version: this.#version + 1, prefix });
    this.#purges.add(purge);
    this.#pending.push(purge);
    this.#publish([], true);
    this.model.happened((other) => other.startsWith(prefix));
  }

  #finish(): void {
    for (const { version } of this.#pending.splice(0)) this.#purges.remove(version);
    this.#publish([], false);
  }

  /** Each may hand over several leases in a step, in an order of its own. */
  #pair(): void {
    const models = this.#modelTokens.splice(0);
    for (const [leased, real] of this.#real.splice(0)) {
      const at = models.findIndex(([other]) => other === leased);
      assert.ok(at >= 0, `the model has given the lease of ${leased} too`);
      const [[, model] = ['', '']] = models.splice(at, 1);
      this.given.push({ key: leased, real, model });
    }
    assert.deepEqual(models, [], 'the table has given all that the model has given');
  }
}

describe('the judgement of lease tokens', () => {
  it('is that of a list of all that has happened', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const both = new Both();
        try {
          for (const one of steps) {
            await both.take(one);
            for (const { key: leased, real, model } of both.given) {
              assert.equal(
                both.table.isGood(leased, [], real),
                both.model.isGood(leased, model),
                `a token of ${leased} after ${JSON.stringify(one)}`,
              );
            }
          }
        } finally {
          both.table.close();
        }
      }),
      { numRuns: 300 },
    );
  });
});
