/**
 * One end of the channel between the primary and a worker: requests and answers over a stream, with
 * flow control in both directions and a deadline for each request. Used by both sides.
 */
import type { Duplex } from 'node:stream';
import { BigCacheError, errorCodeFromWire, errorToWire } from './errors.ts';
import { FrameDecoder, ProtocolError } from './frame.ts';
import { decodeMessages, encodeMessages, type Message } from './messages.ts';
import { Opcode, type OpcodeValue } from './opcodes.ts';

export interface ChannelLimits {
  /** Requests of ours that may wait for an answer; beyond, OVERLOADED. */
  readonly pendingMax: number;
  /** Requests of the peer that may be in service; beyond, its bytes are not read. */
  readonly servingMax: number;
  /** Bytes that may wait to be sent; beyond, no request is made and nothing more is read. */
  readonly unsentBytesMax: number;
  /** How long the peer may leave the unsent bytes over their limit before it is given up. */
  readonly stallMs: number;
  /** Deadline of a request that names none. */
  readonly deadlineMs: number;
}

export const CHANNEL_LIMITS: ChannelLimits = {
  pendingMax: 8192,
  servingMax: 8192,
  unsentBytesMax: 8 * 1024 * 1024,
  stallMs: 5000,
  deadlineMs: 5000,
};

/** A frame holds at most this many messages, so that it stays below the cap of a frame. */
const MESSAGES_PER_FRAME_MAX = 256;
const DEADLINE_SWEEP_MS = 100;

/** A request of the peer. Answer it once, by `reply` or `fail`. */
export interface IncomingRequest {
  readonly opcode: OpcodeValue;
  readonly fields: readonly unknown[];
  reply(result: unknown): void;
  fail(error: unknown): void;
}

export interface ChannelHandlers {
  onRequest(request: IncomingRequest): void;
  onNotice(opcode: OpcodeValue, fields: readonly unknown[]): void;
  /** All messages of one frame have been handed over. */
  onFrameEnd?(): void;
  /** The channel has ended; `error` says why when the peer did not simply leave. */
  onClose(error: Error | undefined): void;
}

interface Pending {
  /** What the answer is turned into while its frame is being decoded; may throw. */
  readonly take: ((result: unknown) => unknown) | undefined;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly deadlineAt: number;
}

export class Channel {
  readonly #stream: Duplex;
  readonly #handlers: ChannelHandlers;
  readonly #limits: ChannelLimits;
  readonly #decoder = new FrameDecoder();
  readonly #pending = new Map<number, Pending>();
  readonly #serving = new Set<number>();
  #outbox: Message[] = [];
  #flushIsDue = false;
  #lastId = 0;
  #stalledSince = 0;
  #closed = false;
  #sweep: NodeJS.Timeout;
  /** Own requests since the begin: sent, refused for lack of room, and not answered in time. */
  readonly counts = { requests: 0, overloads: 0, timeouts: 0 };

  constructor(stream: Duplex, handlers: ChannelHandlers, limits: Partial<ChannelLimits> = {}) {
    this.#stream = stream;
    this.#handlers = handlers;
    this.#limits = { ...CHANNEL_LIMITS, ...limits };
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('drain', () => this.#adjustReading());
    stream.on('end', () => this.#ended());
    stream.on('error', (error) => this.#close(error));
    stream.on('close', () => this.#close(undefined));
    this.#sweep = setInterval(() => this.#checkDeadlines(), DEADLINE_SWEEP_MS);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Own requests that wait for an answer. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Bytes that the peer has not taken yet. */
  get unsentBytes(): number {
    return this.#closed ? 0 : this.#stream.writableLength;
  }

  /**
   * Asks the peer. Rejects with the code the peer failed with, OVERLOADED, DEADLINE_EXCEEDED, or
   * STORE_UNAVAILABLE when the channel ends first.
   */
  request(opcode: OpcodeValue, ...fields: unknown[]): Promise<unknown> {
    return this.requestWithin(this.#limits.deadlineMs, opcode, ...fields);
  }

  /** `request` with a deadline of its own, in milliseconds. */
  requestWithin(deadlineMs: number, opcode: OpcodeValue, ...fields: unknown[]): Promise<unknown> {
    return this.#ask(deadlineMs, undefined, opcode, fields);
  }

  /**
   * `request`, resolved with what `take` makes of the answer. `take` is called while the frame is being
   * decoded, before anything that the peer has sent after it is looked at.
   */
  requestTaking<T>(
    take: (result: unknown) => T,
    opcode: OpcodeValue,
    ...fields: unknown[]
  ): Promise<T> {
    return this.#ask(this.#limits.deadlineMs, take, opcode, fields) as Promise<T>;
  }

  #ask(
    deadlineMs: number,
    take: Pending['take'],
    opcode: OpcodeValue,
    fields: readonly unknown[],
  ): Promise<unknown> {
    if (this.#closed) return Promise.reject(new BigCacheError('STORE_UNAVAILABLE'));
    if (this.#pending.size >= this.#limits.pendingMax || this.#isClogged()) {
      this.counts.overloads += 1;
      return Promise.reject(new BigCacheError('OVERLOADED'));
    }
    this.counts.requests += 1;
    return new Promise((resolve, reject) => {
      const id = this.#nextId();
      const deadlineAt = performance.now() + deadlineMs;
      this.#pending.set(id, { take, resolve, reject, deadlineAt });
      this.#send([opcode, id, ...fields]);
    });
  }

  /** Tells the peer something that has no answer. */
  notify(opcode: OpcodeValue, ...fields: unknown[]): void {
    if (!this.#closed) this.#send([opcode, 0, ...fields]);
  }

  /** Ends the channel once what was sent has left. */
  end(): void {
    if (this.#closed) return;
    this.#flush();
    this.#stream.end();
  }

  /** Ends the channel at once. */
  destroy(error?: Error): void {
    this.#close(error);
  }

  #nextId(): number {
    do {
      this.#lastId = this.#lastId === 0xffff_ffff ? 1 : this.#lastId + 1;
    } while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  #send(message: Message): void {
    this.#outbox.push(message);
    if (this.#flushIsDue) return;
    // After the poll phase, so that all messages of one tick share a frame.
    this.#flushIsDue = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushIsDue = false;
    if (this.#closed) return;
    const messages = this.#outbox;
    this.#outbox = [];
    for (let from = 0; from < messages.length; from += MESSAGES_PER_FRAME_MAX) {
      const some =
        messages.length <= MESSAGES_PER_FRAME_MAX
          ? messages
          : messages.slice(from, from + MESSAGES_PER_FRAME_MAX);
      this.#stream.write(encodeMessages(some));
    }
    this.#adjustReading();
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return;
    try {
      this.#decoder.push(chunk, (payload) => this.#receiveFrame(payload));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#close(error);
      return;
    }
    this.#adjustReading();
  }

  #receiveFrame(payload: Buffer): void {
    for (const message of decodeMessages(payload)) {
      if (this.#closed) return;
      this.#dispatch(message);
    }
    this.#handlers.onFrameEnd?.();
  }

  #dispatch(message: Message): void {
    const [opcode, id] = message;
    if (opcode === Opcode.reply || opcode === Opcode.failure) {
      this.#settle(opcode, id, message[2]);
      return;
    }
    const fields = message.slice(2);
    if (id === 0) {
      this.#handlers.onNotice(opcode, fields);
    } else {
      if (this.#serving.has(id)) throw new ProtocolError(`the live id ${id} was used again`);
      this.#serving.add(id);
      this.#handlers.onRequest(this.#incoming(opcode, id, fields));
    }
  }

  #incoming(opcode: OpcodeValue, id: number, fields: readonly unknown[]): IncomingRequest {
    const answer = (message: Message): void => {
      if (!this.#serving.delete(id) || this.#closed) return;
      this.#send(message);
      if (this.#stream.isPaused()) this.#adjustReading();
    };
    return {
      opcode,
      fields,
      reply: (result) => answer([Opcode.reply, id, result]),
      fail: (error) => answer([Opcode.failure, id, errorToWire(error)]),
    };
  }

  #settle(opcode: OpcodeValue, id: number, result: unknown): void {
    const pending = this.#pending.get(id);
    // An answer that comes after its deadline has nobody left to take it.
    if (pending === undefined) return;
    this.#pending.delete(id);
    if (opcode === Opcode.reply) {
      this.#resolve(pending, result);
    } else {
      pending.reject(new BigCacheError(errorCodeFromWire(result as number) ?? 'INTERNAL'));
    }
  }

  #resolve({ take, resolve, reject }: Pending, result: unknown): void {
    if (take === undefined) {
      resolve(result);
      return;
    }
    try {
      resolve(take(result));
    } catch (error) {
      reject(error as Error);
    }
  }

  #isClogged(): boolean {
    return this.#stream.writableLength > this.#limits.unsentBytesMax;
  }

  #adjustReading(): void {
    if (this.#closed) return;
    const clogged = this.#isClogged();
    if (!clogged) this.#stalledSince = 0;
    else if (this.#stalledSince === 0) this.#stalledSince = performance.now();
    if (clogged || this.#serving.size >= this.#limits.servingMax) this.#stream.pause();
    else if (this.#stream.isPaused()) this.#stream.resume();
  }

  #checkDeadlines(): void {
    // Not the wall clock, which may jump.
    const now = performance.now();
    for (const [id, pending] of this.#pending) {
      if (pending.deadlineAt > now) continue;
      this.#pending.delete(id);
      this.counts.timeouts += 1;
      pending.reject(new BigCacheError('DEADLINE_EXCEEDED'));
    }
    if (this.#stalledSince > 0 && now - this.#stalledSince > this.#limits.stallMs) {
      this.#close(new ProtocolError('the peer does not read'));
    }
  }

  #ended(): void {
    this.#close(
      this.#decoder.isAtBoundary ? undefined : new ProtocolError('the stream ended inside a frame'),
    );
  }

  #close(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#sweep);
    this.#stream.destroy();
    const unavailable = new BigCacheError('STORE_UNAVAILABLE', undefined, { cause: error });
    for (const pending of this.#pending.values()) pending.reject(unavailable);
    this.#pending.clear();
    this.#serving.clear();
    this.#handlers.onClose(error);
  }
}
