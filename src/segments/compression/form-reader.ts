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

export type StoredBody = BodyPlace & Pick<EntryRecord, 'plainBytes' | 'contentEncoding'>;

const EMPTY = Buffer.alloc(0);
const BARE: BodyFraming = { prologue: EMPTY, epilogue: EMPTY };

export class FormReader {
  readonly #bodies: BodyReader;

  constructor(bodies: BodyReader) {
    this.#bodies = bodies;
  }

  /**
   * Opens a body; at once where it is in memory by all appearances. `held` is the body as it is stored, where whoever asks
   * has it already. Fails as `BodyReader.open` does.
   */
  open(body: StoredBody, framing: FormFraming, held?: Buffer): BodyContent | Promise<BodyContent> {
    if (body.contentEncoding === null) return this.#stored(body, framing, held);
    if (framing.encoded !== true) {
      return then(this.#stored(body, BARE, held), (stored) => decodedBody(stored, body, framing));
    }
    const { prologue, epilogue, range } = framing;
    if (range !== undefined || prologue.length + epilogue.length === 0)
      return this.#stored(body, framing, held);
    return this.#spliced(body, new MemberSplice(prologue, epilogue), held);
  }

  #stored(
    place: BodyPlace,
    framing: BodyFraming,
    held: Buffer | undefined,
  ): BodyContent | Promise<BodyContent> {
    if (held !== undefined) return this.#bodies.openHeld(held, framing);
    return this.#bodies.openAtOnce(place, framing) ?? this.#bodies.open(place, framing);
  }

  #spliced(
    body: StoredBody,
    splice: MemberSplice,
    held: Buffer | undefined,
  ): BodyContent | Promise<BodyContent> {
    const room = { prologue: splice.before, epilogue: splice.after };
    return then(this.#stored(body, room, held), (content) => {
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
