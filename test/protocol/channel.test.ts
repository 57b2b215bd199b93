import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Channel,
  type ChannelHandlers,
  type ChannelLimits,
  type IncomingRequest,
} from '../../src/protocol/channel.ts';
import { BigCacheError, type ErrorCode } from '../../src/protocol/errors.ts';
import { encodeFrame } from '../../src/protocol/frame.ts';
import { encodeMessages } from '../../src/protocol/messages.ts';
import { Opcode, type OpcodeValue } from '../../src/protocol/opcodes.ts';
import { eventually } from '../eventually.ts';
import { streamPair } from '../stream-pair.ts';

interface Peer {
  readonly channel: Channel;
  readonly requests: IncomingRequest[];
  readonly notices: [OpcodeValue, readonly unknown[]][];
  closedWith: Error | undefined | 'open';
}

function peer(
  stream: Duplex,
  limits?: Partial<ChannelLimits>,
  more?: Partial<ChannelHandlers>,
): Peer {
  const self: { -readonly [K in keyof Peer]: Peer[K] } = {
    channel: undefined as unknown as Channel,
    requests: [],
    notices: [],
    closedWith: 'open',
  };
  self.channel = new Channel(
    stream,
    {
      onRequest: (request) => self.requests.push(request),
      onNotice: (opcode, fields) => self.notices.push([opcode, fields]),
      onClose: (error) => {
        self.closedWith = error;
      },
      ...more,
    },
    limits,
  );
  return self;
}

const rejectsWith = (code: ErrorCode) => (error: unknown) =>
  error instanceof BigCacheError && error.code === code;

describe('the channel', () => {
  it('pairs answers with requests, whatever their order', async () => {
    const [left, right] = streamPair();
    const asking = peer(left);
    const answering = peer(right);
    const asked = ['a', 'b', 'c'].map((key) => asking.channel.request(Opcode.get, key));
    await eventually(() => answering.requests.length === 3);
    for (const request of answering.requests.toReversed()) request.reply(request.fields[0]);
    assert.deepEqual(await Promise.all(asked), ['a', 'b', 'c']);
    asking.channel.destroy();
  });

  it('carries all requests of one tick in one frame', async () => {
    const [left, right] = streamPair();
    let frames = 0;
    const asking = peer(left);
    const answering = peer(right, {}, { onFrameEnd: () => frames++ });
    const asked = Array.from({ length: 50 }, () => asking.channel.request(Opcode.count));
    await eventually(() => answering.requests.length === 50);
    assert.equal(frames, 1);
    for (const request of answering.requests) request.reply(1);
    await Promise.all(asked);
    asking.channel.destroy();
  });

  it('carries errors as codes, and hides what is not ours', async () => {
    const [left, right] = streamPair();
    const asking = peer(left);
    const answering = peer(right);
    const first = asking.channel.request(Opcode.count);
    const second = asking.channel.request(Opcode.count);
    await eventually(() => answering.requests.length === 2);
    answering.requests[0]?.fail(new BigCacheError('STORE_CLOSED'));
    answering.requests[1]?.fail(new Error('a secret path'));
    await assert.rejects(first, rejectsWith('STORE_CLOSED'));
    await assert.rejects(second, (error: Error) => !error.message.includes('secret'));
    asking.channel.destroy();
  });

  it('ends a request at its deadline and drops the late answer', async () => {
    const [left, right] = streamPair();
    const asking = peer(left);
    const answering = peer(right);
    const late = asking.channel.requestWithin(20, Opcode.count);
    await assert.rejects(late, rejectsWith('DEADLINE_EXCEEDED'));
    answering.requests[0]?.reply(7);
    const next = asking.channel.request(Opcode.count);
    await eventually(() => answering.requests.length === 2);
    answering.requests[1]?.reply(8);
    assert.equal(await next, 8);
    assert.deepEqual(asking.channel.counts, { requests: 2, overloads: 0, timeouts: 1 });
    assert.equal(asking.channel.pendingCount, 0);
    asking.channel.destroy();
  });

  it('refuses requests beyond its bound with OVERLOADED', async () => {
    const [left] = streamPair();
    const asking = peer(left, { pendingMax: 2 });
    const waiting = [asking.channel.request(Opcode.count), asking.channel.request(Opcode.count)];
    await assert.rejects(asking.channel.request(Opcode.count), rejectsWith('OVERLOADED'));
    assert.deepEqual(asking.channel.counts, { requests: 2, overloads: 1, timeouts: 0 });
    assert.equal(asking.channel.pendingCount, 2);
    asking.channel.destroy();
    for (const one of waiting) await assert.rejects(one, rejectsWith('STORE_UNAVAILABLE'));
  });

  it('fails what is open, and what comes later, when the peer leaves', async () => {
    const [left, right] = streamPair();
    const asking = peer(left);
    const answering = peer(right);
    const open = asking.channel.request(Opcode.count);
    await eventually(() => answering.requests.length === 1);
    answering.channel.end();
    await assert.rejects(open, rejectsWith('STORE_UNAVAILABLE'));
    assert.equal(asking.closedWith, undefined);
    await assert.rejects(asking.channel.request(Opcode.count), rejectsWith('STORE_UNAVAILABLE'));
  });

  it('hands over what the peer sent before it left', async () => {
    const [left, right] = streamPair();
    const leaving = peer(left);
    const staying = peer(right);
    leaving.channel.notify(Opcode.sealSegment, 5, 64);
    leaving.channel.end();
    await eventually(() => staying.closedWith !== 'open');
    assert.deepEqual(staying.notices, [[Opcode.sealSegment, [5, 64]]]);
  });

  it('is closed by a damaged frame, and says so', async () => {
    for (const bytes of [
      Buffer.from([0, 0, 0, 0]),
      Buffer.from([255, 255, 255, 255]),
      encodeFrame(Buffer.from([0xc1])),
      encodeFrame(Buffer.from([0x91, 0x92, 0xcc, 200, 1])),
    ]) {
      const [left, right] = streamPair();
      const victim = peer(right);
      left.on('error', () => undefined).write(bytes);
      await eventually(() => victim.closedWith !== 'open');
      assert.equal((victim.closedWith as Error).name, 'ProtocolError');
    }
  });

  it('is closed by a stream that ends inside a frame', async () => {
    const [left, right] = streamPair();
    const victim = peer(right);
    left.end(encodeMessages([[Opcode.count, 1]]).subarray(0, 6));
    await eventually(() => victim.closedWith !== 'open');
    assert.equal((victim.closedWith as Error).name, 'ProtocolError');
  });

  it('is closed by an id that is used again while it is live', async () => {
    const [left, right] = streamPair();
    const victim = peer(right);
    left
      .on('error', () => undefined)
      .write(
        encodeMessages([
          [Opcode.count, 9],
          [Opcode.count, 9],
        ]),
      );
    await eventually(() => victim.closedWith !== 'open');
    assert.match((victim.closedWith as Error).message, /live id 9/);
  });

  it('reads no further while too many requests are in service', async () => {
    const [left, right] = streamPair();
    const asking = peer(left);
    const answering = peer(right, { servingMax: 4 });
    const asked: Promise<unknown>[] = [];
    for (let nth = 0; nth < 40; nth++) {
      asked.push(asking.channel.request(Opcode.count));
      await sleep(1);
    }
    assert.ok(answering.requests.length < 40);
    for (let answered = 0; answered < 40; answered++) {
      await eventually(() => answering.requests.length > answered);
      answering.requests[answered]?.reply(answered);
    }
    assert.equal((await Promise.all(asked)).length, 40);
    asking.channel.destroy();
  });

  it('answers each request once, however often the handler tries', async () => {
    const [left, right] = streamPair();
    const asking = peer(left);
    const answering = peer(right);
    const asked = asking.channel.request(Opcode.count);
    await eventually(() => answering.requests.length === 1);
    answering.requests[0]?.reply(1);
    answering.requests[0]?.fail(new BigCacheError('INTERNAL'));
    assert.equal(await asked, 1);
    assert.equal(answering.closedWith, 'open');
    asking.channel.destroy();
    await once(left, 'close');
  });
});
