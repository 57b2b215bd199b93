/**
 * Bytes <-> frames: a frame is a length (u32, little-endian) and that many bytes. Used at both ends of
 * the channel.
 */

export const FRAME_HEAD_BYTES = 4;
/** No frame is longer: a thousand keys of the longest kind and their records fit. */
export const FRAME_BYTES_MAX = 32 * 1024 * 1024;

/** The peer sent something that is no frame or no message: its channel must be closed. */
export class ProtocolError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtocolError';
  }
}

/** Cuts a byte stream, however it arrives, into the payloads of its frames. */
export class FrameDecoder {
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Length of the frame that is under way, head included; 0 while its head is not complete. */
  #awaited = 0;

  /**
   * Takes the next bytes of the stream and calls `onFrame` for each payload that is now complete.
   * Payloads may alias `chunk`. Throws ProtocolError for a length of 0 or over the cap.
   */
  push(chunk: Buffer, onFrame: (payload: Buffer) => void): void {
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    if (this.#awaited > this.#bytes) return;
    let bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#bytes);
    this.#awaited = 0;
    while (bytes.length >= FRAME_HEAD_BYTES) {
      const end = FRAME_HEAD_BYTES + payloadLength(bytes);
      if (bytes.length < end) {
        this.#awaited = end;
        break;
      }
      onFrame(bytes.subarray(FRAME_HEAD_BYTES, end));
      bytes = bytes.subarray(end);
    }
    this.#parts = bytes.length === 0 ? [] : [bytes];
    this.#bytes = bytes.length;
  }

  /** Whether the stream may end here: nothing of a frame is left over. */
  get isAtBoundary(): boolean {
    return this.#bytes === 0;
  }
}

function payloadLength(head: Buffer): number {
  const length = head.readUInt32LE(0);
  if (length === 0 || length > FRAME_BYTES_MAX) {
    throw new ProtocolError(`a frame of ${length} bytes is out of bounds`);
  }
  return length;
}

/** The frame around `payload`, as one buffer of its own. */
export function encodeFrame(payload: Uint8Array): Buffer {
  if (payload.length === 0 || payload.length > FRAME_BYTES_MAX) {
    throw new RangeError(`a frame of ${payload.length} bytes is out of bounds`);
  }
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.set(payload, FRAME_HEAD_BYTES);
  return frame;
}
