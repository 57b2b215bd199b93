/**
 * The claim on a store's directory: one process owns it at a time. LevelDB's LOCK is easily lost
 * (whoever opens and closes that file drops it), so the primary holds a claim of its own beside it.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { platform } from 'node:os';
import { CannotRunError } from '../exit.ts';

/** Gives the claim up. */
export type Release = () => Promise<void>;

/** The directory belongs to another process at present. */
export class InUseError extends CannotRunError {}

/** What every refusal of a directory that another process holds says. */
export function inUse(path: string, options?: ErrorOptions): InUseError {
  return new InUseError(
    `${path} is in use by another BigCache process; stop that one or choose another --db-path`,
    options,
  );
}

/**
 * Claims the directory with this real path until the release or the end of the process, however it
 * ends. REQUIRES: `realPath` is resolved, since two spellings would make two claims.
 *
 * The claim is a listening socket in Linux's abstract namespace: it leaves no file behind and the
 * kernel drops it with the process. Elsewhere, and between containers that share a volume, LevelDB's
 * own lock stands alone.
 */
export async function claimDirectory(realPath: string): Promise<Release> {
  if (platform() !== 'linux') return async () => {};
  const server = createServer((socket) => socket.destroy());
  const name = `\0bigcache-${createHash('sha256').update(realPath).digest('hex')}`;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? inUse(realPath, { cause: error })
          : new CannotRunError(`${realPath} cannot be claimed: ${error.message}`, { cause: error }),
      );
    });
    // `exclusive` keeps the claim in this process even if it were a worker of some cluster.
    server.listen({ path: name, exclusive: true }, resolve);
  });
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}
