/** The processes themselves: workers, their channel to the primary, event loops, memory, processor time. */
import type { ProcessFigures } from '../../../protocol/figures.ts';
import {
  counter,
  type Family,
  gauge,
  inMs,
  labelled,
  type Sample,
  type Snapshot,
} from '../family.ts';
import { sumOf } from './http.ts';

const US_PER_SECOND = 1e6;
const MS_PER_SECOND = 1000;

/** Names for `processes`: a worker's successor has its name. */
const nameOf = (at: number): string => (at === 0 ? 'primary' : `worker-${at}`);

/** A sample for each process and each of the named figures. */
function ofEach(
  { processes }: Snapshot,
  named: Readonly<Record<string, keyof ProcessFigures>>,
): Sample<number>[] {
  return processes.flatMap((figures, at) =>
    Object.entries(named).map(([label, figure]) => ({
      labels: [nameOf(at), label],
      value: figures[figure],
    })),
  );
}

const CHANNEL: readonly Family[] = [
  counter(
    'bigcache_channel_requests_total',
    'channel.requests',
    'Requests that workers sent to the primary',
    ({ workers }) => workers.channelRequests,
  ),
  gauge(
    'bigcache_channel_requests_pending',
    'channel.pending',
    'Requests of workers that the primary has not answered yet',
    (all) => sumOf(all, 'channelPending'),
  ),
  gauge(
    'bigcache_channel_unsent_bytes',
    'channel.unsentBytes',
    'Bytes that wait in workers until the primary reads them',
    (all) => sumOf(all, 'channelUnsentBytes'),
  ),
  counter(
    'bigcache_channel_overloads_total',
    'channel.overloads',
    'Requests that workers refused, since too much waited for the primary',
    ({ workers }) => workers.channelOverloads,
  ),
  counter(
    'bigcache_channel_timeouts_total',
    'channel.timeouts',
    'Requests that the primary did not answer in time',
    ({ workers }) => workers.channelTimeouts,
  ),
];

const ROOM: readonly Family[] = [
  gauge(
    'bigcache_worker_writes_pending',
    'writes.pending',
    'Writes that workers have begun and not answered yet, at most 4,096 in each',
    (all) => sumOf(all, 'writesUnderWay'),
  ),
  counter(
    'bigcache_worker_writes_refused_total',
    'writes.refused',
    'Writes that were answered 503, since as many as may be were under way in their worker',
    ({ workers }) => workers.writesRefused,
  ),
  gauge(
    'bigcache_worker_answer_bytes',
    'answers.bytes',
    'Bytes of bodies that answers hold which their clients have not taken, at most 256 MiB in each worker',
    (all) => sumOf(all, 'answerBytes'),
  ),
  counter(
    'bigcache_worker_answers_refused_total',
    'answers.refused',
    'Reads that were answered 503, since answers held as much as they may in their worker',
    ({ workers }) => workers.answersRefused,
  ),
];

const RECORDS: readonly Family[] = [
  counter(
    'bigcache_held_hits_total',
    'records.hits',
    'Hits out of records that workers held, without a request to the primary',
    ({ workers }) => workers.heldHits,
  ),
  gauge('bigcache_held_records', 'records.held', 'Records that workers hold', (all) =>
    sumOf(all, 'heldRecords'),
  ),
  gauge(
    'bigcache_held_record_bytes',
    'records.bytes',
    'Memory of the workers that held records take, of --record-cache each',
    (all) => sumOf(all, 'heldRecordBytes'),
  ),
  gauge(
    'bigcache_held_body_bytes',
    'records.bodyBytes',
    'Memory of the workers that hot bodies take, of --body-cache each',
    (all) => sumOf(all, 'heldBodyBytes'),
  ),
];

const WORKERS: readonly Family[] = [
  gauge(
    'bigcache_workers_ready',
    'workers.ready',
    'Workers that listen',
    ({ server }) => server.workersReady,
  ),
  gauge(
    'bigcache_workers_wanted',
    'workers.wanted',
    'Workers that there should be, --workers',
    ({ server }) => server.workersWanted,
  ),
  counter(
    'bigcache_worker_deaths_total',
    'workers.deaths',
    'Workers that ended without being asked to',
    ({ server }) => server.workerDeaths,
  ),
];

const EACH: readonly Family[] = [
  inMs(
    labelled(
      'gauge',
      'bigcache_event_loop_delay_seconds',
      'processes.eventLoopDelayMs',
      ['process', 'stat'],
      'How late the event loop is: p50, p99 and max of the last 10 s or more',
      (all) => ofEach(all, { p50: 'loopDelayP50Ms', p99: 'loopDelayP99Ms', max: 'loopDelayMaxMs' }),
    ),
  ),
  labelled(
    'gauge',
    'bigcache_event_loop_utilization_ratio',
    'processes.eventLoopUtilization',
    ['process'],
    'The share of the last 10 s or more in which the event loop was busy, from 0 to 1',
    ({ processes }) =>
      processes.map(({ loopUtilization }, at) => ({
        labels: [nameOf(at)],
        value: loopUtilization,
      })),
  ),
  labelled(
    'gauge',
    'bigcache_worker_connections_open',
    'processes.connectionsOpen',
    ['process'],
    'Connections that each worker holds',
    ({ processes }) =>
      processes
        .map(({ connectionsOpen }, at) => ({ labels: [nameOf(at)], value: connectionsOpen }))
        .slice(1),
  ),
  labelled(
    'gauge',
    'bigcache_memory_bytes',
    'processes.memoryBytes',
    ['process', 'kind'],
    'Memory: rss, anonymous (without mapped files; Linux only), heap and external of JavaScript',
    (all) =>
      ofEach(all, {
        rss: 'rssBytes',
        anonymous: 'rssAnonBytes',
        heap: 'heapUsedBytes',
        external: 'externalBytes',
      }),
  ),
  labelled(
    'counter',
    'bigcache_cpu_seconds_total',
    'processes.cpuSeconds',
    ['process', 'mode'],
    'Processor time of the primary and of all workers together, dead ones included',
    ({ server, workers }) => [
      { labels: ['primary', 'user'], value: server.primaryCpuUserUs / US_PER_SECOND },
      { labels: ['primary', 'system'], value: server.primaryCpuSystemUs / US_PER_SECOND },
      { labels: ['workers', 'user'], value: workers.cpuUserUs / US_PER_SECOND },
      { labels: ['workers', 'system'], value: workers.cpuSystemUs / US_PER_SECOND },
    ],
  ),
];

const BUILD: readonly Family[] = [
  gauge(
    'bigcache_start_time_seconds',
    'startTimeSeconds',
    'When the server was started, in Unix time',
    ({ server }) => server.startedAtMs / MS_PER_SECOND,
  ),
  labelled(
    'gauge',
    'bigcache_build_info',
    'versions',
    ['version'],
    'Always 1; the label says which version runs',
    ({ version }) => [{ labels: [version], value: 1 }],
  ),
];

export const PROCESS_FAMILIES: readonly Family[] = [
  ...CHANNEL,
  ...ROOM,
  ...RECORDS,
  ...WORKERS,
  ...EACH,
  ...BUILD,
];
