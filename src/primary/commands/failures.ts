/**
 * What the commands on a stopped store share: they give the directory up whatever happens, and say in
 * one line what the system refuses them.
 */
import { InUseError } from '../directory/owner.ts';
import { CannotRunError } from '../exit.ts';
import { causeText } from '../store/index/index-files.ts';
import { type Interruption, watchInterruption } from './interruption.ts';

/** Errors of the system that say something about the machine and nothing about this program. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: "the user's disk quota is used up",
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EIO: 'the disk reports an error',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
};

/**
 * Does `work` in a directory that `open` claims, told when the command is interrupted. `advice`
 * says what to do while a server runs there. Throws a CannotRunError for that and for errors of the
 * system.
 */
export async function whileStopped<T extends { readonly release: () => Promise<void> }, R>(
  open: () => Promise<T>,
  advice: string,
  work: (directory: T, interruption: Interruption) => Promise<R>,
): Promise<R> {
  const directory = await open().catch((error: unknown) => {
    if (!(error instanceof InUseError)) throw error;
    throw new CannotRunError(`the store is in use by a running BigCache; ${advice}`, {
      cause: error,
    });
  });
  const interruption = watchInterruption();
  try {
    return await work(directory, interruption);
  } catch (error) {
    throw asRefusal(error) ?? error;
  } finally {
    interruption.end();
    await directory.release();
  }
}

/** The refusal that an error of the system means; undefined for any other error. */
function asRefusal(error: unknown): CannotRunError | undefined {
  if (!(error instanceof Error) || error instanceof CannotRunError) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  const why = SYSTEM_ERRORS[code ?? ''] ?? levelRefusal(error);
  if (why === undefined) return undefined;
  return new CannotRunError(`the command stopped: ${why}`, { cause: error });
}

/** LevelDB gives the system's refusals as text alone. */
function levelRefusal(error: Error): string | undefined {
  const text = `${error.message} ${error.cause instanceof Error ? error.cause.message : ''}`;
  if (/No space left on device|Disk quota exceeded/.test(text)) return 'the disk is full';
  if (/Input\/output error/.test(text)) return 'the disk reports an error';
  if (/^IO error|: IO error/.test(text)) return causeText(error);
  return undefined;
}
