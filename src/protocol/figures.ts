/**
 * What the processes count and measure of themselves, as tables of names. They cross the channel as lists
 * in the order of their table; both ends are of one build. Used by both sides.
 */

/** A number for each name of a table. */
export type Figures<Name extends string> = Record<Name, number>;

/** What a worker counts from its start on, beside COUNTERS and what its routes count. */
export const WORKER_COUNTS = [
  /** Hits that were fresh, and those that were shown stale: together the counter `hit`. */
  'freshHits',
  'staleHits',
  'bytesReceived',
  'bytesSent',
  /** Connections that were accepted. */
  'connections',
  /** Connections that were ended, so that another worker takes the next one of their clients. */
  'connectionsRebalanced',
  /** Connections that were closed as they came: the limit of open files allowed no more. */
  'connectionsRefused',
  /** Connections that were ended: too slow in taking their answers, or with too many requests that wait. */
  'connectionsCut',
  'slowRequests',
  /** Slow requests that the log says nothing of, since there were too many. */
  'slowLinesLeftOut',
  'damagedEntries',
  'channelRequests',
  'channelOverloads',
  'writesRefused',
  'answersRefused',
  'channelTimeouts',
  /** Hits out of records that the worker held, without a word to the primary. */
  'heldHits',
  'cpuUserUs',
  'cpuSystemUs',
] as const;
export type WorkerCounts = Figures<(typeof WORKER_COUNTS)[number]>;

/** What a process is like just now. */
export const PROCESS_FIGURES = [
  'rssBytes',
  /** Memory that no file stands behind; 0 where the system does not tell. */
  'rssAnonBytes',
  'heapUsedBytes',
  'externalBytes',
  'loopDelayP50Ms',
  'loopDelayP99Ms',
  'loopDelayMaxMs',
  /** The share of the time in which the event loop was busy, from 0 to 1. */
  'loopUtilization',
  'connectionsOpen',
  'channelPending',
  'writesUnderWay',
  /** What answers hold of bodies that their clients have not taken. */
  'answerBytes',
  'channelUnsentBytes',
  'heldRecords',
  'heldRecordBytes',
  /** Of hot bodies, beside the records and short bodies that the last figure counts. */
  'heldBodyBytes',
] as const;
export type ProcessFigures = Figures<(typeof PROCESS_FIGURES)[number]>;

/** What the primary counts of its store, from the server's start on. */
export const STORE_COUNTS = [
  'evicted',
  'copiedBytes',
  'segmentsReclaimed',
  'segmentsDropped',
  'handScanned',
  'handRemoved',
  'handRounds',
  'handPasses',
  'purgesFinished',
  'leasesGiven',
  'leasesHandedOver',
  'leasesLost',
  'leasesRefused',
  'syncFailures',
] as const;
export type StoreCounts = Figures<(typeof STORE_COUNTS)[number]>;

/** What the store is like just now. While it is closed, all but the first two are as they were before. */
export const STORE_FIGURES = [
  'isOpen',
  'isWritable',
  /** How often its index took no writes any more. */
  'indexFailures',
  'entries',
  'segmentsOpen',
  'segmentsSealed',
  'segmentsDropping',
  'segmentBytes',
  'segmentLiveBytes',
  'indexBytes',
  'storeBytes',
  /** `--max-size`; 0 for no limit. */
  'storeBytesMax',
  'diskBytes',
  'diskFreeBytes',
  'diskFreeBytesMin',
  'handProgress',
  'purgesPending',
  'leasesHeld',
  'leaseWaiters',
  'writesWaiting',
  'roomWaitingBytes',
  'syncAgeMs',
  'unsyncedAgeMs',
] as const;
export type StoreFigures = Figures<(typeof STORE_FIGURES)[number]>;

/** What the primary knows of the server as a whole. */
export const SERVER_FIGURES = [
  'startedAtMs',
  'workersReady',
  'workersWanted',
  'workerDeaths',
  'primaryCpuUserUs',
  'primaryCpuSystemUs',
] as const;
export type ServerFigures = Figures<(typeof SERVER_FIGURES)[number]>;

/** Figures at zero, every name present. */
export function newFigures<Name extends string>(names: readonly Name[]): Figures<Name> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Figures<Name>;
}

/** Adds `more` to `sum`, name by name. */
export function addFigures<Name extends string>(sum: Figures<Name>, more: Figures<Name>): void {
  for (const name of Object.keys(sum) as Name[]) sum[name] += more[name];
}

export function figuresToList<Name extends string>(
  names: readonly Name[],
  figures: Figures<Name>,
): number[] {
  return names.map((name) => figures[name]);
}

/** Reads a list of figures; what is missing or no figure becomes 0. */
export function figuresFromList<Name extends string>(
  names: readonly Name[],
  list: unknown,
): Figures<Name> {
  const values: unknown[] = Array.isArray(list) ? list : [];
  const figures = newFigures(names);
  names.forEach((name, at) => {
    const value = values[at];
    if (isFigure(value)) figures[name] = value;
  });
  return figures;
}

/** Whether it may stand for something that was counted or measured. */
export function isFigure(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
