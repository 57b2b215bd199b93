/** Rows 132 to 143: bytes on a worker's channel that no worker of ours would send. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Packr } from 'msgpackr';
import { WorkerProcess } from '../../../src/primary/worker-process.ts';
import { OPEN_ACCESS } from '../../../src/protocol/access.ts';
import { Channel } from '../../../src/protocol/channel.ts';
import { newCounters } from '../../../src/protocol/counters.ts';
import { FRAME_BYTES_MAX } from '../../../src/protocol/frame.ts';
import { encodeMessages, type Message } from '../../../src/protocol/messages.ts';
import { Opcode, PROTOCOL_VERSION } from '../../../src/protocol/opcodes.ts';
import { DEFAULT_CONFIG } from '../../default-config.ts';
import { eventually } from '../../eventually.ts';
import { recordOf, SILENT } from '../../primary/store/store-setup.ts';
import { noStatistics } from '../../statistics-fixture.ts';
import { streamPair } from '../../stream-pair.ts';
import { frameOf, HOSTILE, Primary, worker } from './frames-setup.ts';
import { row } from './row.ts';

const packr = new Packr({ useRecords: false });
/** A frame with a message as nobody encodes it. */
const odd = (message: unknown): Buffer => frameOf(Buffer.from(packr.pack([message])));
const head = (length: number): Buffer => Buffer.from(Uint32Array.of(length).buffer);
const commit = (key: string, segment: number): Message => [
  Opcode.put,
  7,
  key,
  recordOf(key, { segment }),
  null,
];

/** A worker's process that sends the bytes of `hex` and does nothing else; how it ended. */
function processThatSends(hex: string): Promise<NodeJS.Signals | null> {
  const script = `
    require('node:fs').writeSync(3, Buffer.from('${hex}', 'hex'));
    setInterval(() => undefined, 1000);`;
  const stdio = ['ignore', 'ignore', 'ignore', 'pipe'] as const;
  const started = spawn(process.execPath, ['-e', script], { stdio: [...stdio] });
  const welcome = { config: DEFAULT_CONFIG, access: OPEN_ACCESS, segmentsPath: '', version: '1' };
  return new Promise((resolve) => {
    new WorkerProcess(started, {
      welcome: { ...welcome, writer: 1 },
      coherence: undefined,
      opened: new Promise(() => undefined),
      slot: 0,
      sumCounters: async () => newCounters(),
      sumStatistics: async () => noStatistics(),
      log: SILENT,
      // The supervisor counts the death and starts another one when it is told of this.
      events: { onReady: () => undefined, onExit: () => resolve(started.signalCode) },
    });
  });
}

row('132', async (t) => {
  const primary = await Primary.start(t);
  for (const length of [0, 0xffff_ffff, FRAME_BYTES_MAX + 1]) {
    await primary.cuts(head(length), /a frame of \d+ bytes is out of bounds/);
  }
  assert.equal(await processThatSends('00000000'), 'SIGKILL');
});

row('133', async (t) => {
  const primary = await Primary.start(t);
  const { stream } = primary.hostile();
  const answers: Buffer[] = [];
  stream.on('data', (chunk) => answers.push(chunk));
  const frame = encodeMessages([[Opcode.hello, 5, PROTOCOL_VERSION, 1]]);
  for (let split = 1; split < frame.length; split++) {
    stream.write(frame.subarray(0, split));
    await new Promise(setImmediate);
    stream.write(frame.subarray(split));
    await eventually(() => answers.length === split);
  }
  const two = [1, 2].map((id) => encodeMessages([[Opcode.hello, id, PROTOCOL_VERSION, 1]]));
  const before = Buffer.concat(answers).length;
  const single = answers[0]?.length ?? 0;
  stream.write(Buffer.concat(two));
  await eventually(() => Buffer.concat(answers).length >= before + 2 * (single - 8));
  await primary.livesOn();
});

row('134', async (t) => {
  const primary = await Primary.start(t);
  const frame = encodeMessages([[Opcode.count, 1]]);
  for (let bytes = 1; bytes < frame.length; bytes++) {
    const hostile = primary.hostile();
    hostile.stream.end(frame.subarray(0, bytes));
    await eventually(() => hostile.closed !== undefined);
    assert.match(String(hostile.closed), /ended inside a frame/);
  }
  await primary.livesOn();
});

row('135', async (t) => {
  const primary = await Primary.start(t);
  for (const opcode of [200, 255, -1, '16', null, 1.5]) {
    await primary.cuts(odd([opcode, 1]), /an unknown opcode/);
  }
  const stranger = worker(primary.hostile().stream);
  const greeting = stranger.request(Opcode.hello, PROTOCOL_VERSION + 1, 1);
  await assert.rejects(greeting, { code: 'STORE_UNAVAILABLE' });
  stranger.destroy();
});

row('135b', async (t) => {
  const primary = await Primary.start(t);
  const never = new Promise<never>(() => undefined);
  const early: readonly Message[] = [
    [Opcode.get, 1, 'key'],
    [Opcode.lease, 1, 'key', 30_000, 0, 0],
    [Opcode.count, 1],
    [Opcode.sumStatistics, 1],
    commit('key', 1),
  ];
  for (const message of early) {
    const asked = encodeMessages([message]);
    await primary.cuts(asked, /before the store is open/, primary.hostile(never));
  }
  const patient = worker(primary.hostile(never).stream);
  assert.ok(await patient.request(Opcode.hello, PROTOCOL_VERSION, 1));
  patient.notify(Opcode.leaveLease, 'key', 1);
  patient.destroy();
  await primary.livesOn();
});

row('136', async (t) => {
  const primary = await Primary.start(t);
  await primary.cuts(frameOf([0xc1]), /./);
  await primary.cuts(frameOf(Buffer.from(packr.pack([[Opcode.count, 1]])), [0]), /no msgpack/);
  for (const value of [null, 7, 'text', {}, [], [7], [{}], [[]]]) {
    await primary.cuts(frameOf(Buffer.from(packr.pack(value))), /./);
  }
  for (const id of [Number.NaN, -1, 1.5, 2 ** 64, '1', null, {}]) {
    await primary.cuts(odd([Opcode.count, id]), /id is no integer/);
  }
});

row('137', async (t) => {
  const primary = await Primary.start(t);
  const twice = encodeMessages([
    [Opcode.count, 9],
    [Opcode.count, 9],
  ]);
  await primary.cuts(twice, /live id 9/);
});

row('138', async (t) => {
  const primary = await Primary.start(t);
  const hostile = primary.hostile();
  const raw = [
    encodeMessages([[Opcode.reply, 4711, 1]]),
    encodeMessages([[Opcode.failure, 4712, 24]]),
  ];
  hostile.stream.write(Buffer.concat(raw));
  const channel = worker(hostile.stream);
  assert.equal(await channel.request(Opcode.count), 0);
  assert.equal(hostile.closed, undefined);
  channel.destroy();
});

row('139', async (t) => {
  const primary = await Primary.start(t);
  for (const key of ['', 'a'.repeat(8193), 'a\u0000b', 'a\r\nb', '/a']) {
    await primary.cuts(odd([Opcode.get, 1, Buffer.from(key)]), /a get with a wrong field 0/);
  }
  await primary.cuts(odd([Opcode.get, 1, Buffer.from([0x61, 0xff])]), /a get with a wrong field 0/);
});

row('140', async (t) => {
  const primary = await Primary.start(t);
  await primary.cuts(frameOf(Buffer.alloc(200_000, 0x91), [0xc0]), /./);
  // Within the fields of a message, too: [[get, 1, [[[...]]]]].
  await primary.cuts(frameOf([0x91, 0x93, 16, 1], Buffer.alloc(200_000, 0x91), [0xc0]), /./);
});

row('141', async (t) => {
  const primary = await Primary.start(t);
  const records = new Packr({ useRecords: true, structures: [] });
  await primary.cuts(frameOf(Buffer.from(records.pack([[Opcode.get, 1, { a: 1 }]]))), /./);
  await primary.cuts(frameOf([0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61]), /./);
  await primary.cuts(odd([Opcode.get, 1, new Date()]), /./);
});

row('142', async () => {
  const [stream] = streamPair();
  const unsentBytesMax = 200_000;
  let closedBy: Error | undefined;
  const handlers = {
    onRequest: () => undefined,
    onNotice: () => undefined,
    onClose: (error: Error | undefined) => {
      closedBy = error;
    },
  };
  const channel = new Channel(stream, handlers, { unsentBytesMax, stallMs: 100 });
  stream.cork();
  const refused: string[] = [];
  for (let nth = 0; nth < 20; nth++) {
    channel
      .request(Opcode.put, 'a', Buffer.alloc(60_000, 1), null)
      .catch(({ code }: { code: string }) => refused.push(code));
    await sleep(1);
  }
  assert.ok(refused.length >= 10, `${refused.length} of 20 were refused`);
  assert.ok(channel.unsentBytes < unsentBytesMax + 100_000, `${channel.unsentBytes} bytes wait`);
  await eventually(() => closedBy !== undefined);
  assert.match(String(closedBy), /does not read/);
});

row('143', async (t) => {
  const primary = await Primary.start(t);
  const bytes = encodeMessages([commit('whole/100', 1)]).length;
  const isThere = async (key: string) =>
    Buffer.isBuffer(await primary.other.request(Opcode.get, key));
  for (const sent of [1, 4, 5, bytes >> 1, bytes - 1, bytes]) {
    const key = `whole/${sent}`;
    const segment = await primary.storage.grantSegment(HOSTILE, 4096);
    const hostile = primary.hostile();
    hostile.stream.end(encodeMessages([commit(key, segment)]).subarray(0, sent));
    await eventually(() => hostile.closed !== undefined);
    if (sent === bytes) await eventually(() => isThere(key));
    else assert.equal(await isThere(key), false, `${sent} of ${bytes} bytes`);
  }
});
