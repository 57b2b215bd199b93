/**
 * Finds out whether the address can be listened on before anything else is started, so that a port in
 * use is one clear line and not a crowd of failing workers.
 */
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CannotRunError } from './exit.ts';

/** A worker of a server that was stopped just now may hold the port for a moment. */
const RETRY_FOR_MS = 5000;
const RETRY_EVERY_MS = 200;

/**
 * Resolves with the port to listen on: `port`, or one that the system chose where it is 0. Throws a
 * CannotRunError that names the problem.
 */
export async function probeAddress(host: string, port: number): Promise<number> {
  const giveUpAt = Date.now() + RETRY_FOR_MS;
  for (;;) {
    try {
      return await listenOnce(host, port);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'EADDRINUSE' || Date.now() >= giveUpAt) {
        throw new CannotRunError(listenFailure(host, port, code ?? message), { cause: error });
      }
    }
    await sleep(RETRY_EVERY_MS);
  }
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

function listenOnce(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port }, () => {
      const address = server.address();
      const chosen = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(chosen));
    });
  });
}
