/**
 * Starts the process of a worker.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { moduleUrl } from '../protocol/module-url.ts';

/** The worker's own file: under pm2 the main module is pm2's, not ours. */
const WORKER_FILE = fileURLToPath(moduleUrl('../workers/main', import.meta.url));

/**
 * Half of V8's own choice. A worker's garbage is short-lived; with 16 MiB its heap alone took 20 MB more
 * under uploads, and requests took no less CPU (docs/decisions/worker-memory.md).
 */
const YOUNG_HEAP = '--max-semi-space-size=8';

export interface WorkerStart {
  readonly indexPath: string;
  /** The descriptor of the listening socket. */
  readonly listeningFd: number;
  readonly log: Logger;
}

/**
 * A process that has not been greeted yet. Its descriptors: 0 to 2 as usual, 3 the channel, 4 the
 * listening socket. Undefined when the system has no process or descriptor left for it.
 */
export function startWorkerProcess({
  indexPath,
  listeningFd,
  log,
}: WorkerStart): ChildProcess | undefined {
  const report = (error: unknown): void => log.error({ err: error }, 'a worker cannot be started');
  // A debugger's port can be used by one process only.
  const execArgv = process.execArgv.filter((argument) => !argument.startsWith('--inspect'));
  try {
    const started = spawn(process.execPath, [YOUNG_HEAP, ...execArgv, WORKER_FILE], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', listeningFd],
      env: { ...process.env, BIGCACHE_INDEX_PATH: indexPath },
    });
    started.on('error', report);
    return started.pid === undefined ? undefined : started;
  } catch (error) {
    report(error);
    return undefined;
  }
}
