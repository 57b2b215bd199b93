/**
 * Entry of an HTTP worker process: connects to the primary over the inherited channel, listens, and
 * leaves when it is told to or when the primary is gone.
 */
import cluster from 'node:cluster';
import { Socket } from 'node:net';
import { pino } from 'pino';
import { Opcode, PROTOCOL_VERSION } from '../protocol/opcodes.ts';
import type { Welcome } from '../protocol/welcome.ts';
import { closeInherited } from './inherited-descriptors.ts';
import { PrimaryLink } from './primary-link.ts';
import { startWorker } from './worker.ts';

/** The channel's descriptor; see the fork in primary/worker-process.ts. */
const CHANNEL_FD = 4;

const indexPath = process.env['BIGCACHE_INDEX_PATH'];
if (indexPath === undefined || cluster.worker === undefined) {
  throw new Error('a worker is started by the primary: run dist/primary.js');
}
closeInherited(indexPath);
// Only the primary reacts to signals; a process manager sends them to the whole tree.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
// Otherwise the cluster module would end this process before it has answered what is open.
cluster.worker.exitedAfterDisconnect = true;

const link = new PrimaryLink(new Socket({ fd: CHANNEL_FD, readable: true, writable: true }));
const welcome = (await link.channel.request(
  Opcode.hello,
  PROTOCOL_VERSION,
  process.pid,
)) as Welcome;
const log = pino({
  level: welcome.config.logLevel,
  base: { pid: process.pid, worker: welcome.writer },
});
await startWorker(link, welcome, log);
