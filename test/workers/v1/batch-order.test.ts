/** A batch comes to the same as its items one by one, each sent to the route of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { fixture } from '../app-fixture.ts';
import { MemoryStore } from '../store/memory-store.ts';

interface Item {
  readonly op: string;
  readonly key: string;
  readonly body?: string;
  readonly ttl?: number;
  readonly by?: number;
  readonly ifNoneMatch?: string;
}

const key = fc.constantFrom('a', 'b', 'c/d');
const items: fc.Arbitrary<Item> = fc.oneof(
  fc.record({ op: fc.constant('get'), key }),
  fc.record({ op: fc.constant('put'), key, body: fc.constantFrom('7', '-1', 'é', '') }),
  fc.record({ op: fc.constant('put'), key, body: fc.constant('x'), ifNoneMatch: fc.constant('*') }),
  fc.record({ op: fc.constant('delete'), key }),
  fc.record({ op: fc.constant('touch'), key, ttl: fc.constantFrom(1, 100) }),
  fc.record({ op: fc.constant('incr'), key, by: fc.integer({ min: -3, max: 3 }) }),
);

/** A store of which every operation takes a while, each another one. */
class UnevenStore extends MemoryStore {
  #turns = 0;

  override async get(...asked: Parameters<MemoryStore['get']>) {
    await this.#wait();
    return super.get(...asked);
  }

  override async put(...asked: Parameters<MemoryStore['put']>) {
    await this.#wait();
    return super.put(...asked);
  }

  override async delete(...asked: Parameters<MemoryStore['delete']>) {
    await this.#wait();
    return super.delete(...asked);
  }

  override async touch(...asked: Parameters<MemoryStore['touch']>) {
    await this.#wait();
    return super.touch(...asked);
  }

  async #wait(): Promise<void> {
    this.#turns += 1;
    for (let turns = (this.#turns * 7) % 5; turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** What the route of an item answers, as an item of a batch is answered. */
async function alone(app: FastifyInstance, item: Item): Promise<Record<string, unknown>> {
  const headers = { host: 'localhost' };
  const json = { ...headers, 'content-type': 'application/json' };
  const entry = { url: `/v1/entries/${item.key}`, headers };
  const { op, ttl, by, ifNoneMatch, body = '' } = item;
  const condition = ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch };
  const all = { ...headers, ...condition };
  const requests: Record<string, InjectOptions> = {
    get: { method: 'GET', ...entry },
    delete: { method: 'DELETE', ...entry },
    put: { method: 'PUT', ...entry, headers: all, payload: body },
    touch: { method: 'POST', url: `/v1/touch/${item.key}`, headers: json, payload: { ttl } },
    incr: { method: 'POST', url: `/v1/incr/${item.key}`, headers: json, payload: { by } },
  };
  const asked = requests[op];
  assert.ok(asked !== undefined);
  const answer = await app.inject(asked);
  const { statusCode: status, body: told } = answer;
  const { etag } = answer.headers;
  if (status >= 400 || op === 'incr') return { status, ...answer.json<object>() };
  if (op === 'get') return { status, etag, body: told };
  return op === 'put' ? { status, etag } : { status };
}

test('a batch comes to what its items come to one by one', async (t) => {
  const now = (): number => 1_700_000_000_000;
  const batched = fixture(t, { now, store: new UnevenStore(now) });
  const single = fixture(t, { now });
  await fc.assert(
    fc.asyncProperty(fc.array(items, { minLength: 1, maxLength: 40 }), async (asked) => {
      await Promise.all([batched.store.clear(), single.store.clear()]);
      const answer = await batched.app.inject({
        method: 'POST',
        url: '/v1/batch',
        headers: { host: 'localhost', 'content-type': 'application/json' },
        payload: JSON.stringify({ items: asked }),
      });
      const together = answer.json<{ items: Record<string, unknown>[] }>().items.map((one) => {
        const { contentType: _type, ttl: _ttl, tags: _tags, ...same } = one;
        return same;
      });
      const oneByOne: unknown[] = [];
      for (const item of asked) oneByOne.push(await alone(single.app, item));
      assert.deepEqual(together, oneByOne);
    }),
    { numRuns: 40 },
  );
});
