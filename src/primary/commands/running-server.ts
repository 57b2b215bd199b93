/**
 * Finds out for a command whether a server runs on the store's directory: then the command is carried
 * out by that server, else in this process.
 */
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { PACKAGE_VERSION } from '../../protocol/package-version.ts';
import { ControlClient } from '../control/control-client.ts';
import { CannotRunError } from '../exit.ts';

/** A server answers this at once, so one that does not is stopped, or hangs. */
const STATUS_MS = 10_000;

/**
 * A connection to the server of the directory; undefined when none runs there. Throws a CannotRunError
 * when it does not answer, and when it is of another version, whose answers may mean something else;
 * the reason of `signal` once that is aborted.
 */
export async function runningServer(
  dbPath: string,
  signal: AbortSignal,
  statusMs: number = STATUS_MS,
): Promise<ControlClient | undefined> {
  const path = await realpath(resolve(dbPath)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new CannotRunError(`${dbPath} cannot be used: ${error.message}`, { cause: error });
  });
  if (path === undefined) return undefined;
  const asking = await ControlClient.connect(path);
  if (asking === undefined) return undefined;
  const version = await versionOf(asking, path, signal, statusMs);
  if (version !== PACKAGE_VERSION) {
    throw new CannotRunError(
      `the server runs version ${version} and this is ${PACKAGE_VERSION}; restart the server first`,
    );
  }
  return await ControlClient.connect(path);
}

async function versionOf(
  server: ControlClient,
  path: string,
  signal: AbortSignal,
  statusMs: number,
): Promise<string> {
  const late = new AbortController();
  const timer = setTimeout(() => {
    const why = `the server of ${path} has not answered for ${statusMs / 1000} s`;
    late.abort(new CannotRunError(`${why}; it may be stopped or hang, restart it`));
  }, statusMs);
  try {
    const either = AbortSignal.any([signal, late.signal]);
    return (await server.ask({ op: 'status' }, { signal: either })).version;
  } finally {
    clearTimeout(timer);
  }
}
