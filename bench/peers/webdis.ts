/** Redis behind webdis, which speaks HTTP for it: entries in memory, in another process. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { MeasuredServer } from '../measured-server.ts';
import { portFor, ServerChild } from '../server-child.ts';
import { SERVERS } from '../workloads.ts';
import { hotBodies } from './hot-bodies.ts';
import type { Peer } from './peer.ts';
import { installedProgram, missingPrograms } from './programs.ts';

/** Connections from webdis to Redis, its default. */
const POOL_SIZE = 20;
const OK = '+OK\r\n';

function configuration(workers: number, port: number, socket: string, directory: string): string {
  return JSON.stringify({
    redis_host: socket,
    http_host: '127.0.0.1',
    http_port: port,
    threads: workers,
    pool_size: POOL_SIZE,
    daemonize: false,
    websockets: false,
    database: 0,
    verbosity: 0,
    logfile: join(directory, 'webdis.log'),
  });
}

/** Sets each entry by Redis's own protocol; resolves when Redis has confirmed all. */
async function fill(socket: string, bodyBytes: number): Promise<void> {
  const connection = connect({ path: socket });
  await once(connection, 'connect');
  for (const [key, body] of hotBodies(bodyBytes)) {
    connection.write(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${body.length}\r\n`);
    connection.write(body);
    connection.write('\r\n');
  }
  connection.end();
  const answers: Buffer[] = [];
  for await (const chunk of connection) answers.push(chunk);
  const confirmed = Buffer.concat(answers).toString();
  if (confirmed.replaceAll(OK, '') !== '')
    throw new Error(`Redis answers ${confirmed.slice(0, 80)}`);
}

export const WEBDIS: Peer = {
  name: SERVERS.webdis,
  missing: () => missingPrograms({ 'redis-server': 'redis-server', webdis: 'webdis' }),
  async start({ workers, port: wanted, bodyBytes, directory }) {
    const port = await portFor(wanted);
    const socket = join(directory, 'redis.sock');
    const inMemory = ['--save', '', '--appendonly', 'no', '--dir', directory];
    const args = ['--port', '0', '--unixsocket', socket, ...inMemory];
    const redis = new ServerChild(installedProgram('redis-server'), args);
    await redis.accepts(socket);
    await fill(socket, bodyBytes);
    const file = join(directory, 'webdis.json');
    writeFileSync(file, configuration(workers, port, socket, directory));
    const webdis = new ServerChild(installedProgram('webdis'), [file]);
    await webdis.accepts(port);
    return new MeasuredServer({
      name: SERVERS.webdis,
      children: [webdis, redis],
      port,
      workerPids: [webdis.pid],
      otherPids: [redis.pid],
      // The ending has it answer with the bytes themselves; without one it makes JSON of them.
      target: { before: '/GET/', after: '.bin' },
      isStore: false,
      dropBodies: () => undefined,
    });
  },
};
