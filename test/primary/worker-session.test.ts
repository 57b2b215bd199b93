/** The primary's end of a worker's channel: what it serves, refuses and passes on. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WorkerSession } from '../../src/primary/channel/worker-session.ts';
import { SegmentState } from '../../src/primary/store/segment-stats.ts';
import { OPEN_ACCESS } from '../../src/protocol/access.ts';
import { Channel } from '../../src/protocol/channel.ts';
import { BigCacheError } from '../../src/protocol/errors.ts';
import { figuresToList, newFigures, PROCESS_FIGURES } from '../../src/protocol/figures.ts';
import { MISS_CODES } from '../../src/protocol/miss.ts';
import { Opcode, type OpcodeValue, PROTOCOL_VERSION } from '../../src/protocol/opcodes.ts';
import { versionOf } from '../../src/protocol/record.ts';
import { Savings } from '../../src/protocol/savings.ts';
import { statisticsFromList } from '../../src/protocol/statistics.ts';
import { DEFAULT_CONFIG } from '../default-config.ts';
import { eventually } from '../eventually.ts';
import { noStatistics } from '../statistics-fixture.ts';
import { streamPair } from '../stream-pair.ts';
import { openedStorage } from './store/opened-storage.ts';
import { recordOf, SILENT } from './store/store-setup.ts';

/** A session over a real storage, the worker's end of its channel, and what was told of it. */
async function sessionOver(
  test: Parameters<typeof openedStorage>[0],
  gate: Promise<void> = Promise.resolve(),
) {
  const { storage, directory } = await openedStorage(test);
  const events: unknown[] = [];
  const notices: [OpcodeValue, readonly unknown[]][] = [];
  const asked: [OpcodeValue, readonly unknown[]][] = [];
  const [primaryEnd, workerEnd] = streamPair();
  const { segmentsPath } = directory;
  const session = new WorkerSession({
    stream: primaryEnd,
    welcome: { config: DEFAULT_CONFIG, segmentsPath, writer: 3, version: '1', access: OPEN_ACCESS },
    opened: gate.then(() => storage),
    sumCounters: async () => ({ hit: 4, miss: 3, expire: 2, delete: 1 }),
    sumStatistics: async () => noStatistics({ savings: Savings.fromList(['a', 2, 30]) }),
    log: SILENT,
    events: {
      onReady: () => events.push('ready'),
      onReport: (counters) => events.push(counters),
      onSavings: (savings) => events.push(savings.toList()),
      onTally: (tally, { rssBytes }) => events.push([...tally, rssBytes]),
      onClose: (error) => events.push(error?.message ?? 'closed'),
    },
  });
  const worker = new Channel(workerEnd, {
    onRequest: ({ opcode, fields, reply }) => {
      asked.push([opcode, fields]);
      reply(opcode === Opcode.collect ? [1, 2, 3, 4] : true);
    },
    onNotice: (opcode, fields) => notices.push([opcode, fields]),
    onClose: () => undefined,
  });
  test.after(async () => worker.destroy());
  return { session, worker, workerEnd, storage, events, notices, asked };
}

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof BigCacheError && error.code === code;
}

describe("a worker's session", () => {
  it('greets its worker with all that it needs', async (t) => {
    const { worker } = await sessionOver(t);
    const welcome = await worker.request(Opcode.hello, PROTOCOL_VERSION, 1);
    assert.deepEqual(
      { ...(welcome as object), segmentsPath: '' },
      { config: DEFAULT_CONFIG, access: OPEN_ACCESS, segmentsPath: '', writer: 3, version: '1' },
    );
  });

  it('greets its worker before the store is open, and has it wait for that', async (t) => {
    const gate: { open: () => void } = { open: () => undefined };
    const opening = new Promise<void>((resolve) => {
      gate.open = resolve;
    });
    const { session, worker } = await sessionOver(t, opening);
    assert.equal(session.holdsNothing, true);
    await worker.request(Opcode.hello, PROTOCOL_VERSION, 1);
    assert.deepEqual([session.holdsNothing, session.awaitsStore], [false, false]);
    const waiting = worker.request(Opcode.awaitStore);
    await eventually(() => session.awaitsStore);
    assert.equal(session.holdsNothing, true);
    gate.open();
    assert.equal(await waiting, true);
    assert.deepEqual([session.holdsNothing, session.awaitsStore], [false, false]);
    assert.equal(await worker.request(Opcode.count), 0);
  });

  it('that ends before the store is open leaves nothing to seal', async (t) => {
    const { worker, events } = await sessionOver(t, new Promise(() => undefined));
    await worker.request(Opcode.hello, PROTOCOL_VERSION, 1);
    worker.end();
    await eventually(() => events.includes('closed'));
  });

  it('tells a greeted worker who may do what, and greets a later one with it', async (t) => {
    const { session, worker, asked } = await sessionOver(t);
    const access = { tokens: [], tls: null };
    await session.takeAccess(access, 1000);
    assert.deepEqual(asked, []);
    const welcome = await worker.request(Opcode.hello, PROTOCOL_VERSION, 1);
    assert.deepEqual((welcome as { access: unknown }).access, access);
    await session.takeAccess(OPEN_ACCESS, 1000);
    assert.deepEqual(asked, [[Opcode.access, [OPEN_ACCESS]]]);
  });

  it('refuses a worker of another protocol version', async (t) => {
    const { session } = await sessionOver(t);
    for (const version of [PROTOCOL_VERSION + 1, 0, undefined, String(PROTOCOL_VERSION)]) {
      assert.throws(() => session.welcome(version), { code: 'STORE_UNAVAILABLE' });
    }
  });

  it('commits, looks up, removes and counts for its worker', async (t) => {
    const { worker } = await sessionOver(t);
    const segment = (await worker.request(Opcode.grantSegment, 4096)) as number;
    const [version, created] = (await worker.request(
      Opcode.put,
      'a/1',
      recordOf('a/1', { segment }),
      null,
    )) as [number, boolean];
    assert.equal(created, true);
    for (const _ of ['cold', 'warm']) {
      const [found, missed] = await Promise.all([
        worker.request(Opcode.get, 'a/1'),
        worker.request(Opcode.get, 'a/2'),
      ]);
      assert.ok(Buffer.isBuffer(found));
      assert.equal(versionOf(found), version);
      assert.equal(missed, MISS_CODES['never-seen']);
    }
    assert.equal(await worker.request(Opcode.count), 1);
    assert.equal(await worker.request(Opcode.dropDamaged, 'a/1', version + 1), false);
    assert.equal(await worker.request(Opcode.delete, 'a/1', null), true);
    assert.equal(await worker.request(Opcode.delete, 'a/1', null), false);
    assert.equal(await worker.request(Opcode.deletePrefix, 'a/'), 0);
  });

  it('gives the sum of all counters', async (t) => {
    const { worker } = await sessionOver(t);
    assert.deepEqual(await worker.request(Opcode.sumCounters), [4, 3, 2, 1]);
    const all = statisticsFromList(await worker.request(Opcode.sumStatistics));
    assert.deepEqual(all, noStatistics({ savings: Savings.fromList(['a', 2, 30]) }));
  });

  it('hears what its worker has counted, and what that is like', async (t) => {
    const { worker, events } = await sessionOver(t);
    const figures = { ...newFigures(PROCESS_FIGURES), rssBytes: 70 };
    worker.notify(Opcode.reportTally, [1, 2], figuresToList(PROCESS_FIGURES, figures));
    await eventually(() => events.length === 1);
    assert.deepEqual(events, [[1, 2, 70]]);
  });

  it('refuses what only a worker can answer, and goes on', async (t) => {
    const { worker } = await sessionOver(t);
    await assert.rejects(worker.request(Opcode.collect), isCode('INTERNAL'));
    await assert.rejects(worker.request(Opcode.drain), isCode('INTERNAL'));
    assert.equal(await worker.request(Opcode.count), 0);
  });

  it('answers everything with STORE_CLOSED while the store is closed', async (t) => {
    const { worker } = await sessionOver(t);
    await worker.request(Opcode.close);
    const refused = [
      worker.request(Opcode.get, 'key'),
      worker.request(Opcode.put, 'key', recordOf('key'), null),
      worker.request(Opcode.delete, 'key', null),
      worker.request(Opcode.count),
      worker.request(Opcode.grantSegment, 4096),
    ];
    await Promise.all(refused.map((one) => assert.rejects(one, isCode('STORE_CLOSED'))));
    await worker.request(Opcode.open);
    assert.equal(await worker.request(Opcode.count), 0);
  });

  it('passes on what its worker tells, and passes over what is no notice', async (t) => {
    const { worker, events } = await sessionOver(t);
    worker.notify(Opcode.ready);
    worker.notify(Opcode.count);
    worker.notify(Opcode.report, [1, 2, 3, 4]);
    await eventually(() => events.length === 2);
    assert.deepEqual(events, ['ready', { hit: 1, miss: 2, expire: 3, delete: 4 }]);
  });

  it('tells its worker to drain and to drop, and asks it for counters and seals', async (t) => {
    const { session, notices } = await sessionOver(t);
    session.drain();
    session.dropSegment(9);
    session.retireSegment(8);
    session.tellShare(16);
    assert.deepEqual(await session.collect(1000), { hit: 1, miss: 2, expire: 3, delete: 4 });
    await session.sealAll(1000);
    assert.deepEqual(notices, [
      [Opcode.drain, []],
      [Opcode.dropSegment, [9]],
      [Opcode.retireSegment, [8]],
      [Opcode.evenShare, [16]],
    ]);
  });

  it('seals what its worker left open, after what that worker sent last', async (t) => {
    const { worker, storage, events } = await sessionOver(t);
    const segment = (await worker.request(Opcode.grantSegment, 4096)) as number;
    // Nobody waits for the answers: the worker is gone before they come.
    worker.request(Opcode.put, 'last', recordOf('last', { segment }), null).catch(() => undefined);
    worker.request(Opcode.grantSegment, 4096).catch(() => undefined);
    worker.end();
    await eventually(() => events.includes('closed'));
    await eventually(() =>
      [...storage.entries.segments.values()].every(({ state }) => state !== SegmentState.open),
    );
    assert.equal(storage.entries.count, 1);
  });

  it('leaves no segment open that is granted after its worker has died', async (t) => {
    const { worker, storage, events } = await sessionOver(t);
    let roomComes: () => void = () => undefined;
    const room = new Promise<void>((resolve) => {
      roomComes = resolve;
    });
    const grant = storage.grantSegment.bind(storage);
    let asked = 0;
    storage.grantSegment = async (writer, bytes) => {
      asked += 1;
      await room;
      return await grant(writer, bytes);
    };
    worker.request(Opcode.grantSegment, 4096).catch(() => undefined);
    await eventually(() => asked === 1);
    worker.end();
    await eventually(() => events.includes('closed'));
    roomComes();
    await eventually(() => storage.entries.segments.size > 0);
    await eventually(() =>
      [...storage.entries.segments.values()].every(({ state }) => state !== SegmentState.open),
    );
  });
});
