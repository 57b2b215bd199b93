/**
 * Why a segment cannot be read, as job threads find it. An error that crosses to the primary loses its
 * code, so this is told as a value.
 */

/** `missing`: there is no such file. `unreadable`: the disk does not give its bytes. */
export type SourceFaultKind = 'missing' | 'unreadable';

const KINDS: Readonly<Record<string, SourceFaultKind>> = {
  ENOENT: 'missing',
  EIO: 'unreadable',
  // Something else stands in its place.
  EISDIR: 'unreadable',
};

export class SourceFault extends Error {
  readonly kind: SourceFaultKind;

  constructor(kind: SourceFaultKind, cause: unknown) {
    super(`the segment is ${kind}`, { cause });
    this.kind = kind;
  }
}

/** What `read` answers. Throws a SourceFault where the segment itself is what cannot be read. */
export function fromSource<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw asSourceFault(error);
  }
}

/** The same for what is read piece by piece. */
export async function* eachFromSource<T>(pieces: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* pieces;
  } catch (error) {
    throw asSourceFault(error);
  }
}

function asSourceFault(error: unknown): unknown {
  const kind = KINDS[(error as NodeJS.ErrnoException).code ?? ''];
  return kind === undefined ? error : new SourceFault(kind, error);
}
