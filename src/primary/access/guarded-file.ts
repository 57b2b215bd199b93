/**
 * The reading of a file that says who may do what: whole, small, and only where others cannot have
 * written it. Used by the primary at its start and on SIGHUP.
 */
import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { CannotRunError } from '../exit.ts';

export const GUARDED_FILE_BYTES_MAX = 1024 * 1024;

const OTHERS_WRITE = 0o002;
const OTHERS_READ = 0o004;

export interface GuardedFile {
  readonly text: string;
  /** Everybody on this machine may read it. */
  readonly isWorldReadable: boolean;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'this user may not read it',
  ELOOP: 'its links lead in a circle',
};

/**
 * The text of the file at `path`. Throws a CannotRunError that begins with `flag` and says what to do:
 * where it cannot be read, is no file, is too large, is no UTF-8, or may be written by everybody.
 */
export async function readGuarded(flag: string, path: string): Promise<GuardedFile> {
  const refuse = (why: string): never => {
    throw new CannotRunError(`--${flag} ${path}: ${why}`);
  };
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK a named pipe would hold the open until somebody writes.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { mode, size } = await file.stat();
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) refuse('it is no regular file');
    if ((mode & OTHERS_WRITE) !== 0) {
      refuse(`everybody may write it; chmod o-w ${path}, after a look at what is in it`);
    }
    if (size > GUARDED_FILE_BYTES_MAX) {
      refuse(`it has ${size} bytes; ${GUARDED_FILE_BYTES_MAX} are the most that are read`);
    }
    const bytes = await readUpTo(file, GUARDED_FILE_BYTES_MAX + 1);
    if (bytes.length > GUARDED_FILE_BYTES_MAX) refuse('it grows while it is read');
    if (!isUtf8(bytes)) refuse('it is no UTF-8');
    return { text: bytes.toString(), isWorldReadable: (mode & OTHERS_READ) !== 0 };
  } catch (error) {
    if (error instanceof CannotRunError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return refuse(REASONS[code] ?? code);
  } finally {
    await file?.close();
  }
}

async function readUpTo(file: FileHandle, bytesMax: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytesMax);
  let filled = 0;
  while (filled < bytesMax) {
    const { bytesRead } = await file.read(buffer, filled, bytesMax - filled, null);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
