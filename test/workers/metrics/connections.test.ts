/** Bytes and connections of a worker, as they are counted. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { Connections } from '../../../src/workers/metrics/connections.ts';
import { eventually } from '../../eventually.ts';

const ASKED = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const file = (name: string): string =>
  readFileSync(new URL(`../../fixtures/tls/${name}`, import.meta.url), 'utf8');
const TLS = { cert: file('one.crt'), key: file('one.key') };

const answer: RequestListener = (_request, response) => {
  response.end('x'.repeat(1000));
};

const PROTOCOLS: Record<string, { serve(): Server; connect(port: number): Socket }> = {
  HTTP: {
    serve: () => createServer(answer),
    connect: (port) => connect(port, '127.0.0.1'),
  },
  // What the handshake and the encryption add is not counted.
  HTTPS: {
    serve: () => createTlsServer(TLS, answer),
    connect: (port) => connectTls({ port, host: '127.0.0.1', ca: TLS.cert }),
  },
};

describe('the connections of a worker', () => {
  for (const [name, protocol] of Object.entries(PROTOCOLS)) {
    it(`are counted with the bytes of ${name}, while they are open and when they have ended`, async (t) => {
      const server = protocol.serve();
      t.after(() => server.close());
      const connections = new Connections();
      connections.watch(server);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const client = protocol.connect((server.address() as AddressInfo).port);
      t.after(() => client.destroy());
      let received = 0;
      client.on('data', (chunk: Buffer) => {
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
  }
});
