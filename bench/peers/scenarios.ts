/** What is measured beside which peers. */
import { runBesideWrites } from '../beside-writes.ts';
import { findPages, missingPages } from '../pages.ts';
import type { RequestSetup } from '../requests.ts';
import type { Measured } from '../results.ts';
import { runSeries } from '../series.ts';
import type { Setting } from '../servers.ts';
import { runStalls, type Volume } from '../stalls.ts';
import {
  CONNECTION_PER_REQUEST,
  PAGES_GZIP,
  PAGES_PLAIN,
  READ_HOT,
  READ_WHILE_WRITING,
  VOLUME,
  type Workload,
  WRITE_NEW,
} from '../workloads.ts';
import { BARE } from './bare.ts';
import { BIGCACHE, UNCOMPRESSED, WITHOUT_HELD_RECORDS, WITHOUT_HOT_BODIES } from './bigcache.ts';
import { FASTAPI, PLAIN_FASTAPI } from './fastapi.ts';
import { NGINX } from './nginx.ts';
import type { Peer } from './peer.ts';
import { WEBDIS } from './webdis.ts';

const KIB = 1024;

export const PEERS: readonly Peer[] = [
  BIGCACHE,
  WITHOUT_HELD_RECORDS,
  WITHOUT_HOT_BODIES,
  UNCOMPRESSED,
  BARE,
  FASTAPI,
  PLAIN_FASTAPI,
  NGINX,
  WEBDIS,
];

export interface Scenario {
  readonly name: string;
  readonly workload: Workload;
  readonly bodyBytes: number;
  readonly peers: readonly Peer[];
  /** What else it needs and this machine lacks. */
  missing(): string[];
  run(setting: Setting, peers: readonly Peer[], volume: Volume): Promise<Measured>;
}

function setupOf(setting: Setting, workload: Workload, bodyBytes: number): RequestSetup {
  return { ...setting, workload, bodyBytes, pages: [] };
}

function rounds(workload: Workload, bodyBytes: number, peers: readonly Peer[]): Scenario {
  return {
    name: workload.name,
    workload,
    bodyBytes,
    peers,
    missing: () => [],
    run: async (setting, present) => {
      const setup = setupOf(setting, workload, bodyBytes);
      return { series: [await runSeries(setting, setup, present)], stalls: [] };
    },
  };
}

function pages(workload: Workload): Scenario {
  return {
    ...rounds(workload, 0, [BIGCACHE, WITHOUT_HOT_BODIES, BARE, NGINX]),
    missing: missingPages,
    run: async (setting, present) => {
      const all = findPages();
      const sum = all.reduce((bytes, { plain }) => bytes + plain.length, 0);
      const setup = { ...setupOf(setting, workload, Math.round(sum / all.length)), pages: all };
      return { series: [await runSeries(setting, setup, present)], stalls: [] };
    },
  };
}

function volume(bodyBytes: number, peers: readonly Peer[]): Scenario {
  return {
    ...rounds(WRITE_NEW, bodyBytes, peers),
    name: VOLUME,
    run: async (setting, present, size) => {
      const setup = setupOf(setting, WRITE_NEW, bodyBytes);
      return { series: [], stalls: await runStalls(setting, setup, present, size) };
    },
  };
}

function besideWrites(bodyBytes: number): Scenario {
  return {
    ...rounds(READ_HOT, bodyBytes, [BIGCACHE]),
    name: READ_WHILE_WRITING,
    run: async (setting, present) => {
      const setup = setupOf(setting, READ_HOT, bodyBytes);
      const all = present.map((peer) => runBesideWrites(setting, setup, peer));
      return { series: await Promise.all(all), stalls: [] };
    },
  };
}

const ALL_THAT_READ = [BIGCACHE, WITHOUT_HELD_RECORDS, BARE, FASTAPI, PLAIN_FASTAPI, NGINX, WEBDIS];
const ALL_THAT_WRITE = [BIGCACHE, UNCOMPRESSED, BARE, FASTAPI];

export const SCENARIOS: readonly Scenario[] = [
  rounds(READ_HOT, KIB, ALL_THAT_READ),
  rounds(READ_HOT, 32 * KIB, [...ALL_THAT_READ, WITHOUT_HOT_BODIES]),
  pages(PAGES_GZIP),
  pages(PAGES_PLAIN),
  rounds(WRITE_NEW, 32 * KIB, ALL_THAT_WRITE),
  volume(32 * KIB, [UNCOMPRESSED, FASTAPI]),
  besideWrites(32 * KIB),
  rounds(CONNECTION_PER_REQUEST, KIB, [BIGCACHE, BARE]),
];
