/** Rows 108 to 113: what clients are told while the store, or a part of the server, is not well. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { open, readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Channel, type IncomingRequest } from '../../../src/protocol/channel.ts';
import { Opcode } from '../../../src/protocol/opcodes.ts';
import { BodyReader } from '../../../src/segments/body-reader.ts';
import { Descriptors } from '../../../src/segments/descriptors.ts';
import { SegmentLog } from '../../../src/segments/segment-log.ts';
import { SlabPool } from '../../../src/segments/slabs.ts';
import { WarmSet } from '../../../src/segments/warm-set.ts';
import { ChannelIndex } from '../../../src/workers/store/channel-index.ts';
import { SegmentStore } from '../../../src/workers/store/segment-store.ts';
import { eventually } from '../../eventually.ts';
import { SyncWatch } from '../../primary/store/sync-watch.ts';
import { request } from '../../raw-http.ts';
import { streamPair } from '../../stream-pair.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { listening } from '../../workers/app-fixture.ts';
import { TestServer } from '../../workers/store/segment-store-setup.ts';
import { isAlive, ServerProcess } from '../server-process.ts';
import { row } from './row.ts';
import { ServedStore } from './served-store.ts';

const SEGMENT = '00000001.seg';

row('108', async (t) => {
  const watch = await SyncWatch.begin(t);
  const clock = { aheadMs: 0 };
  const now = () => Date.now() + clock.aheadMs;
  const directory = await temporaryDirectory(t);
  const server = await TestServer.start(directory, now, undefined, { durability: 'always' });
  t.after(() => server.stop());
  const served = new ServedStore(t, server.addWorker().store);
  assert.equal((await served.ask('POST', '/pickle/before', 'x')).status, 200);
  watch.failOn(SEGMENT, 'EIO');
  const refused = await served.ask('POST', '/pickle/refused', 'x');
  assert.deepEqual([refused.status, refused.code], [503, 'STORE_FAILED']);
  assert.deepEqual(refused.headers['retry-after'], '1');
  const ready = await served.ask('GET', '/readyz');
  assert.deepEqual([ready.status, ready.code], [503, 'STORE_FAILED']);
  assert.equal((await served.ask('GET', '/pickle/before')).status, 200);
  assert.equal((await served.ask('GET', '/pickle/refused')).status, 404);
  watch.failOn(undefined, '');
  await eventually(async () => (await served.ask('POST', '/pickle/after', 'x')).status === 200);
  clock.aheadMs = 60_000;
  assert.equal((await served.ask('GET', '/readyz')).status, 200);
  assert.equal((await served.ask('GET', '/pickle/before')).status, 200);
});

/** Changes a byte of `body` where it lies in a segment of the store at `path`. */
async function spoil(path: string, body: string): Promise<void> {
  const segments = join(path, 'segments');
  for (const name of await readdir(segments)) {
    const at = (await readFile(join(segments, name))).indexOf(body);
    if (at === -1) continue;
    const file = await open(join(segments, name), 'r+');
    await file.write(Buffer.from('X'), 0, 1, at + 5);
    await file.close();
    return;
  }
  assert.fail('the body lies in a segment');
}

row('109', async (t) => {
  const directory = await temporaryDirectory(t);
  const server = await ServerProcess.start(t, directory, '--workers', '1');
  const url = `${server.url}/pickle/spoilt`;
  const body = 'a body that is spoilt';
  assert.equal((await fetch(url, { method: 'POST', body })).status, 200);
  await spoil(directory, body);
  assert.equal((await fetch(url)).status, 404);
  const count = await fetch(`${server.url}/stat/count`);
  assert.deepEqual(await count.json(), { count: 0 });
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(metrics, /^bigcache_damaged_entries_total(?:\{[^}]*\})? 1$/m);
  assert.equal(await server.stop(), 0);
});

row('110', async (t) => {
  const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '2');
  const workers = server.workerPids;
  process.kill(server.pid, 'SIGSTOP');
  const socket = connect(server.port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  socket.write('GET /cache/a HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await sleep(300);
  const closed = once(socket, 'close');
  const begin = Date.now();
  await server.kill();
  await closed;
  assert.ok(Date.now() - begin < 1000, `${Date.now() - begin} ms`);
  assert.match(answer, /^HTTP\/1\.1 503 [\s\S]*STORE_UNAVAILABLE/);
  await eventually(() => workers.every((pid) => !isAlive(pid)), 2000);
});

/** A worker's store whose primary answers when the test does. */
async function unansweredStore(limits: ConstructorParameters<typeof Channel>[2]) {
  const [primaryEnd, workerEnd] = streamPair();
  const asked: IncomingRequest[] = [];
  const nothing = () => undefined;
  const onRequest = (one: IncomingRequest) => void asked.push(one);
  const primary = new Channel(primaryEnd, { onRequest, onNotice: nothing, onClose: nothing });
  const onUnasked = ({ reply }: IncomingRequest) => reply(true);
  const handlers = { onRequest: onUnasked, onNotice: nothing, onClose: nothing };
  const channel = new Channel(workerEnd, handlers, limits);
  const directory = await temporaryDirectory({ after: () => undefined });
  const index = new ChannelIndex(channel);
  const warm = new WarmSet<number>(Date.now);
  const store = new SegmentStore({
    index,
    segments: new SegmentLog({
      directory,
      segmentBytes: 4 * 1024 * 1024,
      writer: 1,
      grants: {
        grant: (bytes) => index.grantSegment(bytes),
        extend: (id, bytes) => index.extendSegment(id, bytes),
        seal: (id, fileBytes) => index.sealSegment(id, fileBytes),
      },
      now: Date.now,
    }),
    bodies: new BodyReader(new Descriptors(directory), new SlabPool(), warm),
    warm,
    now: Date.now,
    onDamage: () => undefined,
  });
  return { store, channel, asked, end: () => primary.destroy() };
}

row('111', async (t) => {
  const { store, channel, asked, end } = await unansweredStore({ deadlineMs: 50 });
  t.after(end);
  const served = new ServedStore(t, store);
  const late = await served.ask('GET', '/cache/late');
  assert.deepEqual([late.status, late.code], [504, 'DEADLINE_EXCEEDED']);
  asked[0]?.reply(1);
  const counting = served.ask('GET', '/stat/count');
  await eventually(() => asked.length === 2);
  assert.equal(asked[1]?.opcode, Opcode.count);
  asked[1]?.reply(7);
  assert.equal((await counting).status, 200);
  assert.deepEqual([channel.isClosed, channel.counts.timeouts], [false, 1]);
});

row('112', async (t) => {
  const { store, channel, end } = await unansweredStore({ pendingMax: 2, deadlineMs: 60_000 });
  const served = new ServedStore(t, store);
  const waiting = [served.ask('GET', '/cache/a'), served.ask('GET', '/cache/b')];
  await eventually(() => channel.pendingCount === 2);
  const refused = await served.ask('GET', '/cache/c');
  assert.deepEqual([refused.status, refused.code], [503, 'OVERLOADED']);
  assert.equal(refused.headers['retry-after'], '1');
  end();
  for (const one of waiting) assert.equal((await one).code, 'STORE_UNAVAILABLE');
});

row('113', async (t) => {
  const server = await listening(t);
  server.isDraining = true;
  const open = request('GET /cache/a').replace('Connection: close\r\n', '');
  const answer = await server.exchange(open);
  assert.match(answer, /^HTTP\/1.1 503 /);
  assert.match(answer, /connection: close\r\n/i);
  assert.match(answer, /retry-after: 1\r\n/i);
  assert.match(answer, /"SHUTTING_DOWN"/);
  assert.match(await server.exchange(request('GET /healthz')), /^HTTP\/1.1 200 /);
  assert.match(await server.exchange(request('GET /readyz')), /^HTTP\/1.1 503 /);
});
