/**
 * Reads bodies in the form in which a reader wants them, whatever form they are stored in: as stored, as
 * one gzip member with what surrounds them, or decoded. Workers run it.
 */
import type { EntryRecord } from '../../protocol/record.ts';
import type { BodyContent, BodyFraming, BodyPlace, BodyReader } from '../body-reader.ts';
import { decodedBody } from './decoded-body.ts';
import { MemberSplice } from './gzip-member.ts';

export interface FormFraming extends BodyFraming {
  /**
   * Whether the reader takes the encoding of the stored form, if it has one: what comes is then encoded
   * as a whole, frame and all, and a range is one of the encoded body. Otherwise all is plain.
   */
  readonly encoded?: boolean;
}

/** What whoever asks has of the body in memory, in the form in which it is stored. */
export interface BodyMemory {
  readonly body?: Buffer | undefined;
  /** Offered what was read of it, where that was all of it; valid only during the call. */
  offer?(stored: Buffer): void;
}

export type StoredBody = BodyPlace & Pick<EntryRecord, 'plainBytes' | 'contentEncoding'>;

const EMPTY = Buffer.alloc(0);
const BARE: BodyFraming = { prologue: EMPTY, epilogue: EMPTY };
const NOTHING_KNOWN: BodyMemory = {};

export class FormReader {
  readonly #bodies: BodyReader;

  constructor(bodies: BodyReader) {
    this.#bodies = bodies;
  }

  /** Opens a body; at once where it is in memory by all appearances. Fails as `BodyReader.open` does. */
  open(
    body: StoredBody,
    framing: FormFraming,
    memory = NOTHING_KNOWN,
  ): BodyContent | Promise<BodyContent> {
    if (body.contentEncoding === null) return this.#stored(body, framing, memory);
    if (framing.encoded !== true) {
      return then(this.#stored(body, BARE, memory), (stored) =>
        decodedBody(stored, body, framing, this.#bodies),
      );
    }
    const { prologue, epilogue, range } = framing;
    if (range !== undefined || prologue.length + epilogue.length === 0)
      return this.#stored(body, framing, memory);
    return this.#spliced(body, new MemberSplice(prologue, epilogue), memory);
  }

  #stored(
    place: BodyPlace,
    framing: BodyFraming,
    memory: BodyMemory,
  ): BodyContent | Promise<BodyContent> {
    if (memory.body !== undefined) return this.#bodies.openHeld(memory.body, framing);
    const opened = this.#bodies.openAtOnce(place, framing);
    if (opened === undefined) return this.#bodies.open(place, framing);
    const { whole } = opened;
    if (memory.offer !== undefined && whole !== undefined && framing.range === undefined) {
      const from = framing.prologue.length;
      memory.offer(whole.subarray(from, from + place.storedBytes));
    }
    return opened;
  }

  #spliced(
    body: StoredBody,
    splice: MemberSplice,
    memory: BodyMemory,
  ): BodyContent | Promise<BodyContent> {
    const room = { prologue: splice.before, epilogue: splice.after };
    return then(this.#stored(body, room, memory), (content) => {
      if (content.whole === undefined) {
        return new SplicedStream(content, body, splice);
      }
      splice.finish(content.whole, body.plainBytes);
      return content;
    });
  }
}

/** `next` of what is here already is here already. */
function then<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** A body that is streamed as one member with what surrounds it. */
class SplicedStream implements BodyContent {
  readonly whole = undefined;
  readonly byteLength: number;
  readonly #content: BodyContent;
  readonly #body: StoredBody;
  readonly #splice: MemberSplice;

  /** `content` is the stored member in the room that `splice` asks for. */
  constructor(content: BodyContent, body: StoredBody, splice: MemberSplice) {
    this.byteLength = content.byteLength;
    this.#content = content;
    this.#body = body;
    this.#splice = splice;
  }

  async *chunks(): AsyncGenerator<Buffer> {
    const { head } = this.#splice;
    const tailAt = this.#splice.tailAt(this.byteLength);
    const tail = Buffer.alloc(this.byteLength - tailAt);
    let at = 0;
    yield head;
    for await (const piece of this.#content.chunks()) {
      const from = Math.min(piece.length, Math.max(0, head.length - at));
      const to = Math.max(from, Math.min(piece.length, tailAt - at));
      if (to > from) yield piece.subarray(from, to);
      if (to < piece.length) piece.copy(tail, Math.max(0, at - tailAt), Math.max(0, tailAt - at));
      at += piece.length;
    }
    this.#splice.finishTail(tail, this.#body.plainBytes);
    yield tail;
  }

  release(): void {
    this.#content.release();
  }
}
