/** Ours, as it was built, on a store in a directory; and with parts of it switched off. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dropBodiesFromPageCache } from '../filesystem.ts';
import { PICKLE } from '../load-plan.ts';
import { MeasuredServer } from '../measured-server.ts';
import { childrenOf } from '../process-figures.ts';
import { ServerChild } from '../server-child.ts';
import { SERVERS } from '../workloads.ts';
import type { Peer, PeerSetup } from './peer.ts';

const PRIMARY = fileURLToPath(new URL('../../dist/primary.js', import.meta.url));

async function start(
  name: string,
  options: readonly string[],
  { workers, port, directory, profileDirectory }: PeerSetup,
): Promise<MeasuredServer> {
  const profile =
    profileDirectory === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileDirectory];
  const store = join(directory, 'store');
  const args = ['--workers', workers, '--port', port, '--db-path', store].map(String);
  const child = new ServerChild(process.execPath, [...profile, PRIMARY, ...args, ...options]);
  const url = await child.says(/"url":"([^"]+)"/);
  const workerPids = childrenOf(child.pid, process.execPath);
  if (workerPids.length !== workers) {
    throw new Error(`${name} has ${workerPids.length} workers, not ${workers}`);
  }
  return new MeasuredServer({
    name,
    children: [child],
    port: Number(new URL(url).port),
    workerPids,
    otherPids: [child.pid],
    target: PICKLE,
    isStore: true,
    dropBodies: () => dropBodiesFromPageCache(store),
  });
}

function variant(name: string, ...options: readonly string[]): Peer {
  return {
    name,
    missing: () => (existsSync(PRIMARY) ? [] : ['the built server: npm run build']),
    start: async (setup) => await start(name, options, setup),
  };
}

export const BIGCACHE = variant(SERVERS.bigcache);
/** Each hit asks the primary. */
export const WITHOUT_HELD_RECORDS = variant(SERVERS.withoutHeldRecords, '--record-cache', 'off');
/** Each hit of more than 1 KiB reads its body from the page cache. */
export const WITHOUT_HOT_BODIES = variant(SERVERS.withoutHotBodies, '--body-cache', 'off');
export const UNCOMPRESSED = variant(SERVERS.uncompressed, '--compression', 'off');
