/**
 * How the descriptors that the system allows a worker are shared out: so many connections are taken in that
 * segments can still be opened for what they ask for. Without a limit that is known nothing is bounded.
 */
import { readFileSync } from 'node:fs';
import type { Server } from 'node:net';
import type { WorkerCounts } from '../protocol/figures.ts';
import { Seldom } from '../protocol/seldom.ts';
import type { Log } from './deps.ts';

/** The channel, the listening socket, what Node and libuv have for themselves, and one segment written. */
const OWN_DESCRIPTORS = 40;
const SEGMENTS_MAX = 256;
const SEGMENTS_MIN = 24;
const SOFT_LIMIT = /^Max open files +(\d+)/m;
const TOLD_EVERY_MS = 5000;

export interface DescriptorRoom {
  /** Segments that are kept open for reading. */
  readonly segmentsMax: number;
  /** Connections at a time; undefined for no bound. */
  readonly connectionsMax: number | undefined;
}

/** The room under a limit of `descriptors`, of which connections have at least half, and segments enough. */
export function descriptorRoom(descriptors: number | undefined): DescriptorRoom {
  if (descriptors === undefined) return { segmentsMax: SEGMENTS_MAX, connectionsMax: undefined };
  const half = Math.floor(descriptors / 2) - OWN_DESCRIPTORS;
  const segmentsMax = Math.min(SEGMENTS_MAX, Math.max(SEGMENTS_MIN, half));
  return {
    segmentsMax,
    connectionsMax: Math.max(1, descriptors - OWN_DESCRIPTORS - segmentsMax),
  };
}

/** The soft limit of this process (proc(5)); undefined where there is none, or the system does not tell. */
export function descriptorLimit(limitsPath = '/proc/self/limits'): number | undefined {
  try {
    const digits = SOFT_LIMIT.exec(readFileSync(limitsPath, 'utf8'))?.[1];
    return digits === undefined ? undefined : Number(digits);
  } catch {
    // Only Linux tells.
    return undefined;
  }
}

/** Closes connections beyond `connectionsMax` as they come, counts them, and says so now and then. */
export function boundConnections(
  server: Server,
  { connectionsMax }: DescriptorRoom,
  counts: Pick<WorkerCounts, 'connectionsRefused'>,
  log: Pick<Log, 'warn'>,
): void {
  if (connectionsMax === undefined) return;
  server.maxConnections = connectionsMax;
  const seldom = new Seldom(TOLD_EVERY_MS);
  server.on('drop', () => {
    counts.connectionsRefused += 1;
    const leftOut = seldom.pass();
    if (leftOut === undefined) return;
    log.warn(
      { connectionsMax, closed: leftOut + 1 },
      'connections were closed at once: the limit of open files allows no more (see ulimit -n)',
    );
  });
}
