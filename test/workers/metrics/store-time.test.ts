/** What of a slow request was the store's time, whatever the route. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CounterOrder } from '../../../src/protocol/counter.ts';
import type { Explanation } from '../../../src/protocol/explanation.ts';
import type { Page, PageAsked } from '../../../src/protocol/listing.ts';
import type { PurgeOrder } from '../../../src/protocol/purge.ts';
import type { EntryRecord } from '../../../src/protocol/record.ts';
import { fixture } from '../app-fixture.ts';
import { MemoryStore } from '../store/memory-store.ts';

const STORE_MS = 30;
/** Timers may be early by a part of a millisecond, and the line is rounded. */
const TOLD_MS_MIN = STORE_MS - 2;

class SlowStore extends MemoryStore {
  override async touch(key: string, ttlMs: number): Promise<boolean> {
    await sleep(STORE_MS);
    return super.touch(key, ttlMs);
  }

  override async increment(key: string, order: CounterOrder): Promise<bigint> {
    await sleep(STORE_MS);
    return super.increment(key, order);
  }

  override async list(asked: PageAsked): Promise<Page<EntryRecord>> {
    await sleep(STORE_MS);
    return super.list(asked);
  }

  override async purge(order: PurgeOrder): Promise<number> {
    await sleep(STORE_MS);
    return super.purge(order);
  }

  override async explain(key: string): Promise<Explanation> {
    await sleep(STORE_MS);
    return super.explain(key);
  }
}

const REQUESTS: readonly (readonly ['GET' | 'POST', string, object?])[] = [
  ['POST', '/v1/incr/n', {}],
  ['POST', '/v1/touch/n', { ttl: 60 }],
  ['GET', '/v1/keys'],
  ['GET', '/v1/explain/n'],
  ['POST', '/v1/purge', { prefix: 'x/' }],
  ['POST', '/v1/batch', { items: [{ op: 'incr', key: 'n' }] }],
];

for (const [method, url, body] of REQUESTS) {
  test(`a slow ${method} ${url} says how long the store took for it`, async (t) => {
    const { app, logged } = fixture(t, { config: { slowMs: 0 }, store: new SlowStore() });
    const { statusCode } = await app.inject({
      method,
      url,
      ...(body === undefined ? {} : { payload: body }),
    });
    assert.ok(statusCode < 500, `${statusCode}`);
    const { storeMs, totalMs } = logged[0] as { storeMs: number; totalMs: number };
    assert.ok(storeMs >= TOLD_MS_MIN && storeMs <= totalMs + 1, `${storeMs} of ${totalMs} ms`);
  });
}
