/**
 * The composition root of the running server: directory, storage, workers, signals; and all of it
 * backwards when the server is asked to stop.
 */
import { isIPv6 } from 'node:net';
import { type Logger, pino } from 'pino';
import type { Config } from '../protocol/config.ts';
import { PACKAGE_VERSION } from '../protocol/package-version.ts';
import { AccessFiles } from './access/access-files.ts';
import { AccessReload } from './access/access-reload.ts';
import { warnOfExposure } from './access/exposure.ts';
import { Coherence } from './coherence/coherence.ts';
import { ControlServer } from './control/control-server.ts';
import { StoreService } from './control/store-service.ts';
import { DamagedStoreError } from './directory/damaged-store.ts';
import {
  type OnDamage,
  openDirectory,
  reenterDirectory,
  type StoreDirectory,
} from './directory/directory.ts';
import { quarantineStore } from './directory/fresh-start.ts';
import { reportQuarantine } from './directory/quarantine-report.ts';
import { ListeningSocket } from './listening-socket.ts';
import type { OnlineRestore } from './store/backup/restore.ts';
import { Storage } from './store/storage.ts';
import { Supervisor } from './supervisor.ts';

/** What works in the background begins when all workers are ready, or after this. */
const WORK_HELD_MAX_MS = 5000;

/** Workers are given this long to leave where the store cannot be opened. */
const DRAIN_UNUSED_MS = 2000;

type StopSignal = 'SIGINT' | 'SIGTERM';

/**
 * Runs the server until SIGINT or SIGTERM; resolves with the exit code. Throws a CannotRunError when
 * it cannot start.
 */
export async function serve(config: Config): Promise<number> {
  const log = pino({ level: config.logLevel, base: { pid: process.pid } });
  const stop = awaitStop();
  const access = await AccessFiles.read(config, log);
  const reload = new AccessReload(access, log);
  // From here on, since opening a large store takes a while.
  reload.listen();
  const onDamage = config.onCorruption === 'fresh' ? freshStart(log) : undefined;
  const directory = await openDirectory(config.dbPath, onDamage);
  try {
    await reportQuarantine(directory.quarantinePath, log);
    return await serveDirectory(config, directory, { access, reload }, stop, log);
  } finally {
    reload.stop();
    await directory.release();
  }
}

/** Who may do what, and how it is read again. */
interface ServedAccess {
  readonly access: AccessFiles;
  readonly reload: AccessReload;
}

async function serveDirectory(
  config: Config,
  directory: StoreDirectory,
  { access, reload }: ServedAccess,
  stop: Promise<StopSignal>,
  log: Logger,
): Promise<number> {
  const listening = await ListeningSocket.bind(config.host, config.port, (forMs) => {
    log.warn({ port: config.port }, `the port is in use; trying for ${forMs / 1000} s`);
  });
  const { indexPath, segmentsPath } = directory;
  const coherence = config.recordCacheBytes > 0 ? new Coherence() : undefined;
  const supervisor = new Supervisor({
    workers: config.workers,
    welcome: { config, access: access.current, segmentsPath, version: PACKAGE_VERSION },
    indexPath,
    listening,
    coherence,
    log,
  });
  reload.tell(supervisor);
  const onDrop = (segment: number): void => supervisor.dropSegment(segment);
  const open = (openedDirectory: StoreDirectory): Promise<Storage> =>
    Storage.open({
      directory: openedDirectory,
      settings: config,
      ...(coherence === undefined ? {} : { coherence }),
      log,
      onDrop,
      onRetire: (segment) => supervisor.retireSegment(segment),
      sealAll: () => supervisor.sealAll(),
      isWorkHeld: true,
    });
  /** After a fresh start it is another store, with an id of its own. */
  let opened = directory;
  const openFresh = async (error: unknown): Promise<Storage> => {
    if (!(error instanceof DamagedStoreError) || config.onCorruption !== 'fresh') throw error;
    await freshStart(log)(directory.path, error);
    opened = await reenterDirectory(directory);
    return await open(opened);
  };
  supervisor.start();
  const storage = await open(directory)
    .catch(openFresh)
    .catch(async (error: unknown) => {
      await supervisor.drain(DRAIN_UNUSED_MS);
      throw error;
    });
  const holding = setTimeout(() => storage.beginWork(), WORK_HELD_MAX_MS);
  const control = await listenForCommands({ storage, directory: opened, onDrop }, log);
  try {
    // A signal may come before the workers are ready.
    const started = supervisor.serve(storage).then(() => undefined);
    let signal = await Promise.race([started, stop]);
    if (signal === undefined) {
      announce(config, listening.port, directory, log);
      storage.beginWork();
      signal = await stop;
    }
    log.info({ signal }, 'stopping');
  } finally {
    clearTimeout(holding);
    await control?.stop();
    await supervisor.drain(config.drainTimeoutMs);
    await storage.close();
  }
  log.info('stopped');
  return 0;
}

/** A server that cannot hear commands still serves; its backups are made while it is stopped. */
async function listenForCommands(
  store: OnlineRestore,
  log: Logger,
): Promise<ControlServer | undefined> {
  const directory = store.directory.path;
  const service = new StoreService(store, log);
  try {
    return await ControlServer.start({ directory, service, log });
  } catch (error) {
    log.warn({ err: error }, 'no control socket: backup and restore work only while stopped');
    return undefined;
  }
}

/** What `--on-corruption fresh` does with a damaged store. */
function freshStart(log: Logger): OnDamage {
  return (path, error) => quarantineStore(path, error, log);
}

/** Tells the log, and the process manager that may wait for it (pm2's `wait_ready`). */
function announce(config: Config, port: number, directory: StoreDirectory, log: Logger): void {
  const host = isIPv6(config.host) ? `[${config.host}]` : config.host;
  const url = `${config.tlsCertPath === '' ? 'http' : 'https'}://${host}:${port}`;
  log.info(
    { url, workers: config.workers, directory: directory.path, version: PACKAGE_VERSION },
    `listening on ${url}`,
  );
  warnOfExposure(config, log);
  process.send?.('ready');
}

/**
 * Resolves at the first signal to stop. The primary is the only process that reacts to signals; a
 * second one while it drains changes nothing.
 */
function awaitStop(): Promise<StopSignal> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve(signal));
  });
}
