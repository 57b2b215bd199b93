/**
 * The listening socket: bound by the primary, inherited by every worker, which accept from it for
 * themselves. It stays open while workers come and go, so that connections wait instead of being
 * refused, and the primary gives it up before the workers do when the server stops.
 */
import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorName } from 'node:util';
import { CannotRunError } from './exit.ts';

/** A worker of a server that was stopped just now may hold the port for a moment. */
const RETRY_FOR_MS = 5000;
const RETRY_EVERY_MS = 200;

/** Node's own handle of a bound socket, as node:cluster uses it. */
interface BoundHandle {
  readonly fd: number;
  getsockname(address: { port?: number }): number;
  close(): void;
}

/** Binds without listening, so that the primary never accepts; answers an error number otherwise. */
type BindSocket = (address: string, port: number, family: 4 | 6) => BoundHandle | number;

const bindSocket = (net as unknown as { _createServerHandle: BindSocket })._createServerHandle;

export class ListeningSocket {
  readonly port: number;
  readonly #handle: BoundHandle;

  private constructor(handle: BoundHandle) {
    this.#handle = handle;
    this.port = portOf(handle);
  }

  /**
   * Binds; a port of 0 lets the system choose. `onRetry` is told once when the port is in use and is
   * tried for a while. Throws a CannotRunError that names the problem.
   */
  static async bind(
    host: string,
    port: number,
    onRetry: (forMs: number) => void = () => undefined,
  ): Promise<ListeningSocket> {
    const { address, family } = await lookup(host).catch((error: NodeJS.ErrnoException) => {
      throw new CannotRunError(listenFailure(host, port, error.code ?? error.message));
    });
    const giveUpAt = Date.now() + RETRY_FOR_MS;
    for (let attempt = 1; ; attempt++) {
      const bound = tryToBind(address, port, family === 6 ? 6 : 4);
      if (typeof bound !== 'string') return new ListeningSocket(bound);
      const code = bound;
      if (code !== 'EADDRINUSE' || Date.now() >= giveUpAt) {
        throw new CannotRunError(listenFailure(host, port, code));
      }
      if (attempt === 1) onRetry(RETRY_FOR_MS);
      await sleep(RETRY_EVERY_MS);
    }
  }

  /** The descriptor that workers inherit. */
  get fd(): number {
    return this.#handle.fd;
  }

  /** Gives the socket up in this process; a second call does nothing. */
  close(): void {
    this.#handle.close();
  }
}

/** The bound handle, or the code of why there is none. */
function tryToBind(address: string, port: number, family: 4 | 6): BoundHandle | string {
  const bound = bindSocket(address, port, family);
  if (typeof bound === 'number') return getSystemErrorName(bound);
  // libuv keeps EADDRINUSE for the later listen; until then the socket has no port.
  if (portOf(bound) !== 0) return bound;
  bound.close();
  return 'EADDRINUSE';
}

function portOf(handle: BoundHandle): number {
  const address: { port?: number } = {};
  handle.getsockname(address);
  return address.port ?? 0;
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; stop it or choose another --port',
  EACCES: 'permission denied; choose a --port of 1024 or more',
  EADDRNOTAVAIL: 'this machine has no such address; choose another --host',
  ENOTFOUND: 'the name cannot be resolved; choose another --host',
};

function listenFailure(host: string, port: number, code: string): string {
  return `cannot listen on ${host} port ${port}: ${REASONS[code] ?? code}`;
}
