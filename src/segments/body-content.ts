/** A body as it is shown: its bytes, whole or piece by piece, framed, or a range of them. Used by workers. */

/** Bytes from `start` to before `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What stands around a body, and which bytes of it are wanted; all, where that is left out. */
export interface BodyFraming {
  readonly prologue: Buffer;
  readonly epilogue: Buffer;
  /** REQUIRES: it lies within the body. */
  readonly range?: ByteRange;
}

/** A body with what stands before and after it; see `Content` in workers/store/store.ts. */
export interface BodyContent {
  readonly byteLength: number;
  readonly whole: Buffer | undefined;
  chunks(): AsyncIterable<Buffer>;
  release(): void;
}

const NOTHING_TO_RELEASE = (): void => undefined;

/**
 * A body that is in memory whole, as it is shown. REQUIRES: `body` is nobody else's to write into; it is not
 * copied where nothing surrounds it.
 */
export function memoryContent(
  body: Buffer,
  framing: BodyFraming,
  release = NOTHING_TO_RELEASE,
): BodyContent {
  const whole = framed(body, framing);
  return {
    byteLength: whole.length,
    whole,
    async *chunks() {
      yield whole;
    },
    release,
  };
}

function framed(body: Buffer, { prologue, epilogue, range }: BodyFraming): Buffer {
  if (range !== undefined) return body.subarray(range.start, range.end);
  if (prologue.length === 0 && epilogue.length === 0) return body;
  return Buffer.concat([prologue, body, epilogue]);
}
