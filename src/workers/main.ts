/**
 * Entry of an HTTP worker process: connects to the primary over the inherited channel, listens, and
 * leaves when it is told to or when the primary is gone.
 */
import { Socket } from 'node:net';
import { pino } from 'pino';
import { Opcode, PROTOCOL_VERSION } from '../protocol/opcodes.ts';
import type { Welcome } from '../protocol/welcome.ts';
import { closeInherited } from './inherited-descriptors.ts';
import { PrimaryLink } from './primary-link.ts';
import { startWorker } from './worker.ts';

/** The channel's descriptor; see the start of the process in primary/worker-process.ts. */
const CHANNEL_FD = 3;
const GREETED_WITHIN_MS = 30_000;

const indexPath = process.env['BIGCACHE_INDEX_PATH'];
if (indexPath === undefined) {
  throw new Error('a worker is started by the primary: run dist/primary.js');
}
closeInherited(indexPath);
// Only the primary reacts to signals; a process manager sends them to the whole tree.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

const link = new PrimaryLink(new Socket({ fd: CHANNEL_FD, readable: true, writable: true }));
const welcome = (await link.channel.requestWithin(
  GREETED_WITHIN_MS,
  Opcode.hello,
  PROTOCOL_VERSION,
  process.pid,
)) as Welcome;
const log = pino({
  level: welcome.config.logLevel,
  base: { pid: process.pid, worker: welcome.writer },
});
await startWorker(link, welcome, log);
