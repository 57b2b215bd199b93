/**
 * `npm run bench:check`: a short run of what is promised of the speed beside bare fastify, and of the server by
 * itself. What is beyond 1.3 times its limit, or beyond 1.3 times what it has come to where the limit is not kept yet, is measured
 * once more, and fails the check if it is so again.
 *
 * Rates beside other servers are left to `bench:peers`: the load process takes its time from the same
 * processors, so they say little on a small machine.
 */
import type { Setting } from '../servers.ts';
import { isKeptSoFar, judge, TARGETS, type Target, type Verdict } from '../targets.ts';
import { BARE } from './bare.ts';
import { BIGCACHE, UNCOMPRESSED, WITHOUT_HELD_RECORDS } from './bigcache.ts';
import { judgementOf } from './judged.ts';
import { measure } from './measure.ts';
import { targetsTable } from './report.ts';
import { SCENARIOS } from './scenarios.ts';

const TOLERANCE = 1.3;
const SETTING: Setting = {
  workers: 2,
  connections: 64,
  rounds: 5,
  seconds: 0.3,
  directory: '/var/tmp',
  port: 0,
  profileDirectory: undefined,
};
/** Enough to count the bytes that are written; a promise about pauses needs all of 4 GB. */
const VOLUME = { bytes: 128 * 1024 ** 2, secondsMax: 10 };
const CHECKED = TARGETS.filter(
  ({ measure: figure }) => figure !== 'stallMs' && figure !== 'requestsPerSecond',
);
const CHECKED_PEERS = [BIGCACHE, WITHOUT_HELD_RECORDS, UNCOMPRESSED, BARE];

/** What could not be measured, though all is there for it, fails as well. */
const isBeyond = (verdict: Verdict): boolean => isKeptSoFar(verdict, TOLERANCE) !== true;

async function verdictsOn(targets: readonly Target[]): Promise<Verdict[]> {
  const { available, targets: possible } = judgementOf(targets, CHECKED_PEERS, SCENARIOS);
  for (const line of available.missing) process.stderr.write(`${line}\n`);
  return judge(possible, await measure(available, SETTING, VOLUME));
}

async function check(): Promise<boolean> {
  const first = await verdictsOn(CHECKED);
  process.stdout.write(`${targetsTable(first)}\n`);
  const beyond = first.filter(isBeyond).map(({ target }) => target);
  if (beyond.length === 0) return true;
  process.stdout.write(`\nBeyond ${TOLERANCE} times the limit, and measured again:\n\n`);
  const again = await verdictsOn(beyond);
  process.stdout.write(`${targetsTable(again)}\n`);
  return !again.some(isBeyond);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
const startedAtMs = performance.now();
process.exitCode = (await check()) ? 0 : 1;
process.stdout.write(`\n${((performance.now() - startedAtMs) / 1000).toFixed(0)} s\n`);
