/** Leases through several workers and one primary: who holds, who waits, who dies. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { LeasedRead } from '../../../src/workers/store/store.ts';
import { eventually } from '../../eventually.ts';
import { TestServer, type TestWorker } from './segment-store-setup.ts';
import { bytesOf, RAW_META, rejectsWith } from './store-subject.ts';

const BODY = Buffer.alloc(20_000, 'rendered once ');

describe('leases across workers', () => {
  let path: string;
  let server: TestServer;

  before(async () => {
    path = await mkdtemp(join(tmpdir(), 'bigcache-leases-'));
    server = await TestServer.start(path);
  });

  after(async () => {
    await server.stop();
    await rm(path, { recursive: true, force: true });
  });

  const ask = (worker: TestWorker, key: string, waitMs = 10_000): Promise<LeasedRead> =>
    worker.store.getLeased(key, {}, { leaseMs: 30_000, waitMs });
  const waiting = async (count: number): Promise<void> =>
    eventually(() => server.storage.entries.leases.counts.waiting === count);

  it('are one lease, and what comes reaches all who wait in all of them', async () => {
    const workers = [1, 2, 3].map(() => server.addWorker());
    const callers = workers.flatMap((worker) =>
      Array.from({ length: 30 }, () => ask(worker, 'page')),
    );
    await waiting(89);
    const { token } = await Promise.race(callers);
    assert.ok(token !== undefined);
    await workers[0]?.store.put('page', RAW_META, BODY, undefined, token);
    const outcomes = await Promise.all(callers);
    assert.equal(outcomes.filter((one) => one.token !== undefined).length, 1);
    for (const { found, token: given } of outcomes) {
      if (given !== undefined) continue;
      assert.ok(found.found);
      assert.ok((await bytesOf(found.content)).equals(BODY));
    }
    assert.deepEqual(
      workers.map(({ slabs }) => slabs.onLoan),
      [0, 0, 0],
    );
  });

  it('that are lost refuse a long body before it is read, and who waits takes over at once', async () => {
    const [one, other] = [server.addWorker(), server.addWorker()];
    const { token } = await ask(one, 'long');
    assert.ok(token !== undefined);
    const next = ask(other, 'long');
    await waiting(1);
    await server.storage.purging.begin({
      selector: { prefix: 'lo' },
      isSoft: false,
      isDryRun: false,
    });
    const { token: handed } = await next;
    assert.ok(handed !== undefined);
    let pulled = 0;
    async function* body(): AsyncGenerator<Buffer> {
      for (; pulled < 40; pulled++) yield Buffer.alloc(65_536, 'long ');
    }
    const { lost } = server.storage.entries.leases.counts;
    await rejectsWith(one.store.put('long', RAW_META, body(), undefined, token), 'LEASE_LOST');
    assert.equal(pulled, 0);
    assert.equal(server.storage.entries.leases.counts.lost, lost + 1);
    await other.store.put('long', RAW_META, body(), undefined, handed);
    assert.equal(pulled, 40);
  });

  it('stay when a worker dies, whose waiters go', async () => {
    const [dying, living] = [server.addWorker(), server.addWorker()];
    const { token } = await ask(dying, 'left');
    assert.ok(token !== undefined);
    const gone = ask(dying, 'left');
    const next = ask(living, 'left');
    await waiting(2);
    dying.die();
    await waiting(1);
    const outcome = await Promise.race([gone, Promise.resolve('still waits')]);
    assert.equal(outcome, 'still waits', 'its process has ended, and it with it');
    assert.equal(await living.store.releaseLease('left', token), true);
    const { token: handed } = await next;
    assert.ok(handed !== undefined);
    await living.store.put('left', RAW_META, BODY, undefined, token);
    await rejectsWith(living.store.put('left', RAW_META, BODY, undefined, handed), 'LEASE_LOST');
  });

  it('end when the store is closed, and with it all waits', async () => {
    const worker = server.addWorker();
    const { token } = await ask(worker, 'closed');
    const waits = ask(worker, 'closed');
    await waiting(1);
    await worker.store.close();
    const { found, token: none } = await waits;
    assert.ok(!found.found && none === undefined);
    await rejectsWith(ask(worker, 'closed'), 'STORE_CLOSED');
    await worker.store.open();
    await rejectsWith(worker.store.put('closed', RAW_META, BODY, undefined, token), 'LEASE_LOST');
  });

  it('wait for nothing where the entry that comes has expired already', async () => {
    const worker = server.addWorker();
    const { token } = await ask(worker, 'expired');
    const waits = ask(worker, 'expired');
    await waiting(1);
    const meta = { ...RAW_META, expiresAtMs: 1 };
    await worker.store.put('expired', meta, BODY, undefined, token);
    const { found } = await waits;
    assert.deepEqual(found, { found: false, reason: 'expired' });
  });
});
