/** Bytes and connections of a worker, as they are counted. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, it } from 'node:test';
import { Connections } from '../../../src/workers/metrics/connections.ts';
import { eventually } from '../../eventually.ts';

const ASKED = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('the connections of a worker', () => {
  it('are counted with their bytes, while they are open and when they have ended', async (t) => {
    const server = createServer((_request, response) => response.end('x'.repeat(1000)));
    t.after(() => server.close());
    const connections = new Connections();
    connections.watch(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = connect(port, '127.0.0.1');
    t.after(() => client.destroy());
    let received = 0;
    client.on('data', (chunk) => {
      received += chunk.length;
    });
    client.write(ASKED);
    await eventually(() => received > 1000);
    const whileOpen = { connections: 1, bytesReceived: ASKED.length, bytesSent: received };
    assert.deepEqual([connections.open, connections.counts], [1, whileOpen]);
    client.write(ASKED);
    await eventually(() => received > 2000);
    client.end();
    await eventually(() => connections.open === 0);
    const ended = { connections: 1, bytesReceived: 2 * ASKED.length, bytesSent: received };
    assert.deepEqual(connections.counts, ended);
  });
});
