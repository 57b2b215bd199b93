/** A store with two workers' sessions, of which one is given whatever bytes a test likes. */
import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import { WorkerSession } from '../../../src/primary/channel/worker-session.ts';
import type { Storage } from '../../../src/primary/store/storage.ts';
import { OPEN_ACCESS } from '../../../src/protocol/access.ts';
import { Channel } from '../../../src/protocol/channel.ts';
import { newCounters } from '../../../src/protocol/counters.ts';
import { encodeFrame } from '../../../src/protocol/frame.ts';
import { Opcode } from '../../../src/protocol/opcodes.ts';
import { DEFAULT_CONFIG } from '../../default-config.ts';
import { eventually } from '../../eventually.ts';
import { openedStorage } from '../../primary/store/opened-storage.ts';
import { SILENT } from '../../primary/store/store-setup.ts';
import { noStatistics } from '../../statistics-fixture.ts';
import { streamPair } from '../../stream-pair.ts';

/** The writer that the hostile worker is. */
export const HOSTILE = 2;

/** What was told of the end of a worker's channel. */
export interface Seen {
  closed: Error | 'at its end' | undefined;
}

interface Hostile extends Seen {
  /** The worker's end, raw. */
  readonly stream: Duplex;
}

export class Primary {
  readonly storage: Storage;
  /** A worker that behaves. */
  readonly other: Channel;

  readonly #test: TestContext;

  private constructor(test: TestContext, storage: Storage, other: Channel) {
    this.#test = test;
    this.storage = storage;
    this.other = other;
  }

  static async start(t: TestContext): Promise<Primary> {
    const { storage } = await openedStorage(t);
    const [primaryEnd, workerEnd] = streamPair();
    begin(Promise.resolve(storage), primaryEnd, 1);
    const other = worker(workerEnd);
    t.after(() => other.destroy());
    return new Primary(t, storage, other);
  }

  /** A worker of which nothing but the bytes of a test come; `opened` is when it finds the store open. */
  hostile(opened: Promise<Storage> = Promise.resolve(this.storage)): Hostile {
    const [primaryEnd, stream] = streamPair();
    stream.on('error', () => undefined).resume();
    this.#test.after(() => stream.destroy());
    const seen = begin(opened, primaryEnd, HOSTILE);
    return Object.assign(seen, { stream });
  }

  /** Such bytes end the channel, with a reason that matches; the other worker goes on. */
  async cuts(bytes: Buffer, reason: RegExp, hostile = this.hostile()): Promise<void> {
    hostile.stream.write(bytes);
    await eventually(() => hostile.closed !== undefined);
    assert.ok(hostile.closed instanceof Error, bytes.toString('hex').slice(0, 40));
    assert.equal(hostile.closed.name, 'ProtocolError');
    assert.match(hostile.closed.message, reason);
    await this.livesOn();
  }

  async livesOn(): Promise<void> {
    assert.equal(await this.other.request(Opcode.count), this.storage.entries.count);
  }
}

function begin(opened: Promise<Storage>, stream: Duplex, writer: number): Seen {
  const seen: Seen = { closed: undefined };
  const nothing = () => undefined;
  new WorkerSession({
    stream,
    welcome: {
      config: DEFAULT_CONFIG,
      segmentsPath: '/nowhere',
      writer,
      version: '1',
      access: OPEN_ACCESS,
    },
    opened,
    sumCounters: async () => newCounters(),
    sumStatistics: async () => noStatistics(),
    log: SILENT,
    events: {
      onReady: nothing,
      onReport: nothing,
      onSavings: nothing,
      onTally: nothing,
      onClose: (error) => {
        seen.closed = error ?? 'at its end';
      },
    },
  });
  return seen;
}

/** The end of a worker's channel that answers what it is asked. */
export function worker(stream: Duplex): Channel {
  return new Channel(stream, {
    onRequest: ({ reply }) => reply(true),
    onNotice: () => undefined,
    onClose: () => undefined,
  });
}

/** A frame around such a payload. */
export const frameOf = (...payload: readonly (Buffer | readonly number[])[]): Buffer =>
  encodeFrame(Buffer.concat(payload.map((part) => Buffer.from(part))));
