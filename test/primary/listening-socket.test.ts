/** The socket that the primary binds: found out to be usable before anything else is started. */
import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { describe, it } from 'node:test';
import { CannotRunError } from '../../src/primary/exit.ts';
import { ListeningSocket } from '../../src/primary/listening-socket.ts';

const HOST = '127.0.0.1';

function listening(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: HOST, port }, () => resolve(server));
  });
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
const close = (server: Server): Promise<void> =>
  new Promise((resolve) => server.close(() => resolve()));

describe('the listening socket', () => {
  it('has a port of its own where it is 0, until it is closed', async () => {
    const socket = await ListeningSocket.bind(HOST, 0);
    assert.ok(socket.port > 0 && socket.fd > 2);
    socket.close();
    socket.close();
    const server = await listening(socket.port);
    await close(server);
  });

  it('waits for a port that is about to be given up', async () => {
    const server = await listening(0);
    const port = portOf(server);
    const binding = ListeningSocket.bind(HOST, port);
    setTimeout(() => server.close(), 300);
    const socket = await binding;
    assert.equal(socket.port, port);
    socket.close();
  });

  it('names the address, the port and what to do when it cannot be bound', async () => {
    // TEST-NET-1 (RFC 5737): no machine has this address.
    await assert.rejects(ListeningSocket.bind('192.0.2.1', 12_345), (error) => {
      assert.ok(error instanceof CannotRunError);
      assert.match(error.message, /192\.0\.2\.1 port 12345: .*--host/);
      return true;
    });
  });

  it('gives up a port that stays taken after five seconds, and says so', async () => {
    const server = await listening(0);
    const port = portOf(server);
    const begin = Date.now();
    await assert.rejects(ListeningSocket.bind(HOST, port), (error) => {
      assert.ok(error instanceof CannotRunError);
      assert.match(error.message, new RegExp(`port ${port}: another process .* --port`));
      return true;
    });
    assert.ok(Date.now() - begin >= 4900);
    await close(server);
  });
});
