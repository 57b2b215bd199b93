/**
 * Pieces through one of zlib's streams, with flat memory: a piece is taken in whole before the next is
 * asked for, and what comes out is made as it is wanted. Any process runs it.
 */
import type { Transform } from 'node:stream';
import type { Zlib } from 'node:zlib';

export type ZlibStream = Transform & Zlib;

/** How a piece is put through; a gate may stand before it. */
export type Turn = (work: () => Promise<void>) => Promise<void>;

const AT_ONCE: Turn = (work) => work();

/**
 * What comes out of `stream` when `source` goes in. Throws what `source` throws, or zlib's own error. A
 * piece of `source` is not looked at any more once the next was asked for. `stream` is destroyed when
 * this ends, however it ends.
 */
export async function* pump(
  stream: ZlibStream,
  source: AsyncIterable<Buffer>,
  turn: Turn = AT_ONCE,
): AsyncGenerator<Buffer, void, undefined> {
  let isClosed = false;
  let wake = (): void => undefined;
  stream.once('close', () => {
    isClosed = true;
    wake();
  });
  // Errors reach the reader below; one that comes after it has left concerns nobody.
  stream.on('error', () => undefined);
  const take = (piece: Buffer): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
      stream.write(piece, () => resolve());
    });
  const feed = async (): Promise<void> => {
    for await (const piece of source) {
      if (isClosed) return;
      await turn(() => take(piece));
      if (isClosed) return;
    }
    stream.end();
  };
  feed().catch((error: unknown) => {
    stream.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } finally {
    stream.destroy();
  }
}
