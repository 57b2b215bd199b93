/**
 * Where a running server listens for commands: a socket in the store's directory. The path of a socket
 * has at most 107 bytes, so on Linux it is named through a descriptor of the directory.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { platform } from 'node:os';
import { join } from 'node:path';

const SOCKET_NAME = '.control';

/** A name of the socket that is short enough, good until it is closed. */
export interface ControlPath {
  readonly path: string;
  close(): Promise<void>;
}

/** REQUIRES: `directory` is an absolute path. Rejects with ENOENT where there is no such directory. */
export async function controlPath(directory: string): Promise<ControlPath> {
  if (platform() !== 'linux') {
    return { path: join(directory, SOCKET_NAME), close: async () => undefined };
  }
  const handle: FileHandle = await open(directory, 'r');
  return {
    path: `/proc/self/fd/${handle.fd}/${SOCKET_NAME}`,
    close: () => handle.close(),
  };
}
