/**
 * Finds out for a command whether a server runs on the store's directory: then the command is carried
 * out by that server, else in this process.
 */
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { PACKAGE_VERSION } from '../../protocol/package-version.ts';
import { ControlClient } from '../control/control-client.ts';
import { CannotRunError } from '../exit.ts';

/**
 * A connection to the server of the directory; undefined when none runs there. Throws a CannotRunError
 * when it is of another version, whose answers may mean something else.
 */
export async function runningServer(dbPath: string): Promise<ControlClient | undefined> {
  const path = await realpath(resolve(dbPath)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new CannotRunError(`${dbPath} cannot be used: ${error.message}`, { cause: error });
  });
  if (path === undefined) return undefined;
  const asking = await ControlClient.connect(path);
  if (asking === undefined) return undefined;
  const { version } = await asking.ask({ op: 'status' });
  if (version !== PACKAGE_VERSION) {
    throw new CannotRunError(
      `the server runs version ${version} and this is ${PACKAGE_VERSION}; restart the server first`,
    );
  }
  return await ControlClient.connect(path);
}
