/** What the primary may ask of a worker over the channel, and what the worker tells it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Channel } from '../../src/protocol/channel.ts';
import { type Counters, newCounters } from '../../src/protocol/counters.ts';
import { BigCacheError } from '../../src/protocol/errors.ts';
import { figuresToList, newFigures, PROCESS_FIGURES } from '../../src/protocol/figures.ts';
import { Opcode, type OpcodeValue } from '../../src/protocol/opcodes.ts';
import { Savings } from '../../src/protocol/savings.ts';
import { PrimaryLink, type WorkerDuties } from '../../src/workers/primary-link.ts';
import { eventually } from '../eventually.ts';
import { recordOf } from '../primary/store/store-setup.ts';
import { streamPair } from '../stream-pair.ts';

/** A link whose duties are written down, and the primary's end of its channel. */
function linked(duties: Partial<WorkerDuties> = {}) {
  const [primaryEnd, workerEnd] = streamPair();
  const notices: [OpcodeValue, readonly unknown[]][] = [];
  const primary = new Channel(primaryEnd, {
    onRequest: (request) => request.fail(new BigCacheError('INTERNAL')),
    onNotice: (opcode, fields) => notices.push([opcode, fields]),
    onClose: () => undefined,
  });
  const link = new PrimaryLink(workerEnd);
  const done: string[] = [];
  link.take({
    drain: () => done.push('drain'),
    dropSegment: (segment) => done.push(`drop ${segment}`),
    retireSegment: (segment) => done.push(`retire ${segment}`),
    sealAll: async () => void done.push('seal'),
    counters: newCounters,
    savings: () => new Savings(),
    tally: () => [[7], newFigures(PROCESS_FIGURES)] as const,
    leaseGranted: (key, waiter, token) => done.push(`grant ${key} ${waiter} ${token}`),
    leaseSettled: (key, record) => done.push(`settle ${key} ${record}`),
    takeAccess: ({ tokens }) => done.push(`tokens ${tokens?.length}`),
    dropRecords: (buckets) => done.push(`records ${buckets ?? 'all'}`),
    takeHits: () => [],
    takeShare: (connections) => done.push(`share ${connections}`),
    primaryGone: () => done.push('gone'),
    ...duties,
  });
  return { primary, link, done, notices };
}

const NOTHING_TO_DO: WorkerDuties = {
  drain: () => undefined,
  dropSegment: () => undefined,
  retireSegment: () => undefined,
  sealAll: async () => undefined,
  counters: newCounters,
  savings: () => new Savings(),
  tally: () => [[7], newFigures(PROCESS_FIGURES)] as const,
  leaseGranted: () => undefined,
  leaseSettled: () => undefined,
  takeAccess: () => undefined,
  dropRecords: () => undefined,
  takeHits: () => [],
  takeShare: () => undefined,
  primaryGone: () => undefined,
};

describe('a worker', () => {
  it('drains, drops and retires segments, and hears its share, as it is told', async () => {
    const { primary, link, done } = linked();
    primary.notify(Opcode.dropSegment, 7);
    primary.notify(Opcode.retireSegment, 8);
    primary.notify(Opcode.evenShare, 16);
    primary.notify(Opcode.drain);
    await eventually(() => done.length === 4);
    assert.deepEqual(done, ['drop 7', 'retire 8', 'share 16', 'drain']);
    link.channel.destroy();
  });

  it('hears who holds a lease and what has come', async () => {
    const { primary, link, done } = linked();
    const record = recordOf('a');
    primary.notify(Opcode.leaseGranted, 'a', 7, 'token');
    primary.notify(Opcode.leaseSettled, 'a', record);
    primary.notify(Opcode.leaseSettled, 'b', null);
    await eventually(() => done.length === 3);
    assert.deepEqual(done, ['grant a 7 token', `settle a ${record}`, 'settle b null']);
    link.channel.destroy();
  });

  it('tells what its hits have saved before its counters, and again only when it is more', async () => {
    const savings = new Savings();
    const { primary, link, notices } = linked({ savings: () => savings });
    await primary.request(Opcode.collect);
    savings.noteHit('a/1', 30);
    await primary.request(Opcode.collect);
    await primary.request(Opcode.collect);
    const told = notices.filter(([opcode]) => opcode === Opcode.reportSavings);
    assert.deepEqual(told, [[Opcode.reportSavings, [['a', 1, 30]]]]);
    link.channel.destroy();
  });

  it('takes who may do what, also what came while it was being built', async () => {
    const { primary, link, done } = linked();
    assert.equal(await primary.request(Opcode.access, { tokens: [], tls: null }), true);
    assert.deepEqual(done, ['tokens 0']);
    link.channel.destroy();
    const [primaryEnd, workerEnd] = streamPair();
    const early = new Channel(primaryEnd, {
      onRequest: (request) => request.fail(new BigCacheError('INTERNAL')),
      onNotice: () => undefined,
      onClose: () => undefined,
    });
    const building = new PrimaryLink(workerEnd);
    assert.equal(await early.request(Opcode.access, { tokens: [], tls: null }), true);
    const taken: unknown[] = [];
    const duties = { ...NOTHING_TO_DO, takeAccess: (access: unknown) => taken.push(access) };
    building.take(duties);
    assert.deepEqual(taken, [{ tokens: [], tls: null }]);
    building.take(duties);
    assert.equal(taken.length, 1);
    building.channel.destroy();
  });

  it('answers that everything is sealed only when it is', async () => {
    let seal = (): void => undefined;
    const sealing = new Promise<void>((resolve) => {
      seal = resolve;
    });
    const { primary, link } = linked({ sealAll: () => sealing });
    let isAnswered = false;
    const asked = primary.request(Opcode.sealAll).finally(() => {
      isAnswered = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(isAnswered, false);
    seal();
    assert.equal(await asked, true);
    link.channel.destroy();
  });

  it('passes the error of a seal on', async () => {
    const sealAll = (): Promise<void> => Promise.reject(new BigCacheError('DISK_FULL'));
    const { primary, link } = linked({ sealAll });
    await assert.rejects(
      primary.request(Opcode.sealAll),
      (error) => error instanceof BigCacheError && error.code === 'DISK_FULL',
    );
    link.channel.destroy();
  });

  it('gives its counters when it is asked, and reports them by itself', async () => {
    const counters: Counters = { hit: 1, miss: 2, expire: 3, delete: 4 };
    const { primary, link, notices } = linked({ counters: () => counters });
    const figures = newFigures(PROCESS_FIGURES);
    const tally = [Opcode.reportTally, [[7], figuresToList(PROCESS_FIGURES, figures)]];
    assert.deepEqual(await primary.request(Opcode.collect), [1, 2, 3, 4]);
    assert.deepEqual(notices.splice(0), [tally]);
    link.report(counters);
    await eventually(() => notices.length === 2);
    assert.deepEqual(notices, [[Opcode.report, [[1, 2, 3, 4]]], tally]);
    link.channel.destroy();
  });

  it('refuses what only a primary can answer', async () => {
    const { primary, link, done } = linked();
    await assert.rejects(
      primary.request(Opcode.count),
      (error) => error instanceof BigCacheError && error.code === 'INTERNAL',
    );
    assert.deepEqual(done, []);
    link.channel.destroy();
  });

  it('learns once that its primary is gone', async () => {
    const { primary, link, done } = linked();
    primary.destroy();
    await eventually(() => done.length > 0);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(done, ['gone']);
    assert.ok(link.channel.isClosed);
  });
});
