/** Counters and touches in the primary's store: exact through any history, sound on disk, there after a restart. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import fc from 'fast-check';
import { rebuildIndex } from '../../../src/primary/commands/rebuild/rebuild-run.ts';
import { openForRebuild } from '../../../src/primary/directory/stopped-store.ts';
import recount from '../../../src/primary/jobs/recount.ts';
import { INTEGER_MAX, INTEGER_MIN, integerOf } from '../../../src/protocol/counter.ts';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { readByThePage } from '../../fixtures/page-reader.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { TestServer } from '../../workers/store/segment-store-setup.ts';
import { RAW_META, read } from '../../workers/store/store-subject.ts';
import { filledStore, readAll, withIndex } from '../commands/stopped-store-setup.ts';
import { verify } from '../commands/verify/verify-setup.ts';

const ONE = { by: 1n, initial: 0n, ttlMs: 0 };

type Step =
  | { readonly do: 'incr'; readonly key: string; readonly by: bigint; readonly initial: bigint }
  | { readonly do: 'put'; readonly key: string; readonly body: string }
  | { readonly do: 'touch'; readonly key: string }
  | { readonly do: 'delete'; readonly key: string };

const key = fc.constantFrom('a', 'b', 'c');
const edge = fc.constantFrom(INTEGER_MAX, INTEGER_MIN, INTEGER_MAX - 1n);
const integer = fc.oneof(fc.bigInt({ min: -5n, max: 5n }), edge);
const body = fc.oneof(integer.map(String), fc.constantFrom('', 'x', '1.0', '007'));
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('incr' as const), key, by: integer, initial: integer }),
  fc.record({ do: fc.constant('incr' as const), key, by: integer, initial: integer }),
  fc.record({ do: fc.constant('put' as const), key, body }),
  fc.record({ do: fc.constant('touch' as const), key }),
  fc.record({ do: fc.constant('delete' as const), key }),
);

/** What a step comes to, and what it leaves behind, by a model of texts. */
function applied(model: Map<string, string>, step: Step): unknown {
  const standing = model.get(step.key);
  if (step.do === 'touch') return standing !== undefined;
  if (step.do === 'delete') return model.delete(step.key);
  if (step.do === 'put') {
    model.set(step.key, step.body);
    return 'stored';
  }
  const before = standing === undefined ? step.initial : integerOf(standing);
  if (before === undefined) return 'NOT_AN_INTEGER';
  const value = before + step.by;
  if (value > INTEGER_MAX || value < INTEGER_MIN) return 'COUNTER_OVERFLOW';
  model.set(step.key, String(value));
  return value;
}

async function done(store: Awaited<ReturnType<TestServer['addWorker']>>['store'], step: Step) {
  try {
    if (step.do === 'touch') return await store.touch(step.key, 60_000);
    if (step.do === 'delete') return await store.delete(step.key);
    if (step.do === 'incr') return await store.increment(step.key, { ...step, ttlMs: 0 });
    await store.put(step.key, RAW_META, Buffer.from(step.body));
    return 'stored';
  } catch (error) {
    if (!(error instanceof BigCacheError)) throw error;
    return error.code;
  }
}

describe('counters', () => {
  it('come to what integers of any size come to, whatever is written between', async (t) => {
    const path = await temporaryDirectory(t);
    await filledStore(path, async ({ store }) => {
      await fc.assert(
        fc.asyncProperty(fc.array(steps, { maxLength: 40 }), async (history) => {
          await store.clear();
          const model = new Map<string, string>();
          for (const step of history) {
            assert.deepEqual(await done(store, step), applied(model, step));
          }
          for (const name of ['a', 'b', 'c']) {
            assert.equal((await read(store, name))?.toString(), model.get(name));
          }
          assert.equal(await store.count(), model.size);
        }),
        { numRuns: 60 },
      );
    });
    assert.deepEqual((await verify(path)).problems, {});
  });

  it('are made no more where there is no room, since nothing evicts them; those there count on', async (t) => {
    const path = await temporaryDirectory(t);
    await filledStore(path, async ({ store }) => {
      await store.increment('there', ONE);
    });
    const settings = { storeBytesMax: 1024 * 1024 };
    const server = await TestServer.start(path, Date.now, 64 * 1024, settings);
    const { store } = server.addWorker();
    assert.equal(await store.increment('there', ONE), 2n);
    await assert.rejects(store.increment('new', ONE), { code: 'DISK_FULL' });
    assert.equal(await store.count(), 1);
    assert.equal(await store.increment('there', ONE), 3n, 'and a refusal harms no other');
    await server.stop();
  });

  it('are one counter for all workers, and none of their increments is lost', async (t) => {
    const path = await temporaryDirectory(t);
    const server = await TestServer.start(path);
    const stores = [1, 2, 3].map(() => server.addWorker().store);
    await stores[0]?.put('n', RAW_META, Buffer.from('100'));
    const values = await Promise.all(
      Array.from({ length: 300 }, (_, nth) => stores[nth % 3]?.increment('n', ONE)),
    );
    assert.equal(new Set(values).size, 300);
    assert.equal(
      values.reduce((most, one) => ((one ?? 0n) > (most ?? 0n) ? one : most)),
      400n,
    );
    await server.stop();
    const found = await readAll(path, ['n']);
    assert.equal(found.get('n')?.toString(), '400');
  });

  it('are sound on disk, beside what was touched, and counted again as they are', async (t) => {
    const path = await temporaryDirectory(t);
    await filledStore(path, async ({ store }) => {
      for (let nth = 0; nth < 20; nth++) {
        await store.put(`page/${nth}`, RAW_META, Buffer.from(`body ${nth}`));
        await store.increment(`n/${nth}`, { ...ONE, by: BigInt(nth) });
      }
      await store.put('was text', RAW_META, Buffer.from('5'));
      await store.increment('was text', ONE);
      for (let nth = 0; nth < 20; nth += 3) await store.touch(`page/${nth}`, nth * 1000 + 60_000);
      assert.equal(await store.deletePrefix('n/1'), 11);
    });
    const { problems, document } = await verify(path);
    assert.deepEqual(problems, {});
    const counted = await withIndex(path, async () => {
      const { port1, port2 } = new MessageChannel();
      const counting = recount({ indexPath: `${path}/index`, port: port2 });
      port1.on('message', (message) => {
        if (message === 'ready') port1.postMessage(0);
      });
      return await counting.finally(() => port1.close());
    });
    assert.ok(counted !== undefined);
    assert.equal(counted.count, document.records?.['records']);
    assert.equal(counted.segments.has(0), false);
  });

  it('are read by the page of the storage format, beside other entries', async (t) => {
    const path = await temporaryDirectory(t);
    await filledStore(path, async ({ store }) => {
      await store.put('text', RAW_META, Buffer.from('body'));
      await store.put('was text', RAW_META, Buffer.from('5'));
      await store.increment('was text', ONE);
      await store.increment('n', { ...ONE, by: INTEGER_MIN });
    });
    const { entries, count } = await readByThePage(path, Date.now());
    const bodies = [...entries].map(([name, entry]) => [name, entry.kind, String(entry.body)]);
    assert.deepEqual(bodies.toSorted(), [
      ['n', 'json', String(INTEGER_MIN)],
      ['text', 'raw', 'body'],
      ['was text', 'raw', '6'],
    ]);
    assert.equal(count, 3n);
  });

  it('are not in the segments: a rebuild has what was stored before the first count', async (t) => {
    const path = await temporaryDirectory(t);
    await filledStore(path, async ({ store }) => {
      await store.put('text', RAW_META, Buffer.from('41'));
      await store.increment('text', ONE);
      await store.increment('bare', ONE);
    });
    const directory = await openForRebuild(path);
    await rebuildIndex({
      ...{ directory, isTrusted: true, now: Date.now },
      ...{ onProgress: () => undefined, shouldStop: () => false },
    });
    await directory.release();
    const found = await readAll(path, ['text', 'bare']);
    assert.deepEqual([...found].map(String), ['text,41']);
  });
});

describe('a touch', () => {
  it('is there after a restart', async (t) => {
    const path = await temporaryDirectory(t);
    let nowMs = Date.UTC(2030, 0, 1);
    const now = (): number => nowMs;
    const meta = { ...RAW_META, expiresAtMs: nowMs + 1000 };
    await filledStore(
      path,
      async ({ store }) => {
        await store.put('a', meta, Buffer.from('x'));
        await store.touch('a', 100_000);
      },
      now,
    );
    nowMs += 99_999;
    assert.equal((await readAll(path, ['a'], now)).size, 1);
    nowMs += 1;
    assert.equal((await readAll(path, ['a'], now)).size, 0);
  });
});
