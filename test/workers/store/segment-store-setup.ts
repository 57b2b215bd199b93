/**
 * A worker's store over a channel to a real storage, all in one process: for tests of everything
 * between the two.
 */
import { EventEmitter, once } from 'node:events';
import { pino } from 'pino';
import { WorkerSession } from '../../../src/primary/channel/worker-session.ts';
import { Coherence } from '../../../src/primary/coherence/coherence.ts';
import type { RecordHolder } from '../../../src/primary/coherence/handshake.ts';
import { openDirectory, type StoreDirectory } from '../../../src/primary/directory/directory.ts';
import { Storage, type StoreSettings } from '../../../src/primary/store/storage.ts';
import { OPEN_ACCESS } from '../../../src/protocol/access.ts';
import { newCounters } from '../../../src/protocol/counters.ts';
import { newFigures, PROCESS_FIGURES } from '../../../src/protocol/figures.ts';
import { Savings } from '../../../src/protocol/savings.ts';
import { BodyReader } from '../../../src/segments/body-reader.ts';
import type { BodyEncoder } from '../../../src/segments/compression/body-encoder.ts';
import { Descriptors } from '../../../src/segments/descriptors.ts';
import { SegmentLog } from '../../../src/segments/segment-log.ts';
import { SlabPool } from '../../../src/segments/slabs.ts';
import { WarmSet } from '../../../src/segments/warm-set.ts';
import { PrimaryLink } from '../../../src/workers/primary-link.ts';
import { ChannelIndex } from '../../../src/workers/store/channel-index.ts';
import { RecordCache } from '../../../src/workers/store/record-cache.ts';
import { SegmentStore } from '../../../src/workers/store/segment-store.ts';
import { DEFAULT_CONFIG } from '../../default-config.ts';
import { noStatistics } from '../../statistics-fixture.ts';
import { streamPair } from '../../stream-pair.ts';

const RECORD_CACHE_BYTES = 1024 * 1024;
const BODY_CACHE_BYTES = 256 * 1024;

export const SILENT = pino({ level: 'silent' });

/** One worker's end: its store, and how to end it. */
export interface TestWorker {
  readonly store: SegmentStore;
  readonly records: RecordCache;
  readonly slabs: SlabPool;
  readonly segments: SegmentLog;
  readonly damaged: string[];
  /** As if the process had died: the channel ends, nothing is sealed. */
  die(): void;
}

export class TestServer {
  readonly directory: StoreDirectory;
  readonly storage: Storage;
  readonly #coherence: Coherence;
  readonly #workers: { session: WorkerSession; worker: TestWorker }[];
  readonly #now: () => number;
  readonly #segmentBytes: number;

  private constructor(
    directory: StoreDirectory,
    storage: Storage,
    coherence: Coherence,
    workers: { session: WorkerSession; worker: TestWorker }[],
    now: () => number,
    segmentBytes: number,
  ) {
    this.directory = directory;
    this.storage = storage;
    this.#coherence = coherence;
    this.#workers = workers;
    this.#now = now;
    this.#segmentBytes = segmentBytes;
  }

  static async start(
    path: string,
    now: () => number = Date.now,
    segmentBytes = 4 * 1024 * 1024,
    settings: Partial<StoreSettings> = {},
    log = SILENT,
  ): Promise<TestServer> {
    const directory = await openDirectory(path);
    const workers: { session: WorkerSession; worker: TestWorker }[] = [];
    const coherence = new Coherence();
    const storage = await Storage.open({
      coherence,
      settings: { ...DEFAULT_CONFIG, segmentBytes, ...settings },
      directory,
      log,
      now,
      onDrop: (segment) => {
        for (const { session } of workers) session.dropSegment(segment);
      },
      onRetire: (segment) => {
        for (const { session } of workers) session.retireSegment(segment);
      },
      sealAll: async () => {
        await Promise.all(
          workers.map(({ session }) => session.sealAll(5000).catch(() => undefined)),
        );
      },
    });
    return new TestServer(directory, storage, coherence, workers, now, segmentBytes);
  }

  /** Bodies are stored as they are given, unless an encoder says otherwise. */
  addWorker(encoder?: BodyEncoder): TestWorker {
    const writer = this.#workers.length + 1;
    const { segmentsPath } = this.directory;
    const [primaryEnd, workerEnd] = streamPair();
    const died = new EventEmitter();
    const holder: RecordHolder = {
      bit: 1 << (writer - 1),
      drop: (buckets) => session.dropRecords(buckets),
      kill: () => undefined,
      exited: once(died, 'exit').then(() => undefined),
    };
    this.#coherence.join(holder);
    const session: WorkerSession = new WorkerSession({
      stream: primaryEnd,
      welcome: { config: DEFAULT_CONFIG, access: OPEN_ACCESS, segmentsPath, writer, version: '0' },
      opened: Promise.resolve(this.storage),
      holding: { coherence: this.#coherence, holder },
      sumCounters: async () => newCounters(),
      sumStatistics: async () => noStatistics(),
      log: SILENT,
      events: {
        onReady: () => undefined,
        onReport: () => undefined,
        onSavings: () => undefined,
        onTally: () => undefined,
        onClose: () => {
          this.#coherence.leave(holder);
          died.emit('exit');
        },
      },
    });
    const worker = connectWorker(workerEnd, segmentsPath, {
      writer,
      now: this.#now,
      segmentBytes: this.#segmentBytes,
      encoder,
    });
    this.#workers.push({ session, worker });
    return worker;
  }

  /** Tells every worker to give up its descriptor of a segment. */
  dropSegment(segment: number): void {
    for (const { session } of this.#workers) session.dropSegment(segment);
  }

  async stop(): Promise<void> {
    await this.storage.close();
    for (const { worker } of this.#workers) worker.die();
    await this.directory.release();
  }
}

interface WorkerSettings {
  readonly writer: number;
  readonly now: () => number;
  readonly segmentBytes: number;
  readonly encoder: BodyEncoder | undefined;
}

function connectWorker(
  stream: ReturnType<typeof streamPair>[0],
  segmentsPath: string,
  { writer, now, segmentBytes, encoder }: WorkerSettings,
): TestWorker {
  const link = new PrimaryLink(stream);
  const records = new RecordCache(RECORD_CACHE_BYTES, BODY_CACHE_BYTES);
  const index = new ChannelIndex(link.channel, records);
  const segments = new SegmentLog({
    directory: segmentsPath,
    segmentBytes,
    writer,
    grants: {
      grant: (bytes) => index.grantSegment(bytes),
      extend: (id, bytes) => index.extendSegment(id, bytes),
      seal: (id, fileBytes) => index.sealSegment(id, fileBytes),
    },
    now,
  });
  const descriptors = new Descriptors(segmentsPath);
  const slabs = new SlabPool();
  const warm = new WarmSet<number>(now);
  const damaged: string[] = [];
  const store = new SegmentStore({
    index,
    segments,
    bodies: new BodyReader(descriptors, slabs, warm),
    warm,
    records,
    now,
    ...(encoder === undefined ? {} : { encoder }),
    onDamage: (key, what) => damaged.push(`${what} of ${key}`),
  });
  link.take({
    drain: () => undefined,
    dropSegment: (segment) => descriptors.drop(segment),
    retireSegment: (segment) => segments.retire(segment),
    sealAll: async () => {
      await segments.sealAll();
      while (!segments.isIdle) await new Promise((resolve) => setTimeout(resolve, 5));
    },
    counters: newCounters,
    savings: () => new Savings(),
    tally: () => [[], newFigures(PROCESS_FIGURES)],
    leaseGranted: (key, waiter, token) => index.leaseGranted(key, waiter, token),
    leaseSettled: (key, record) => index.waiting.settled(key, record),
    takeAccess: () => undefined,
    dropRecords: (buckets) => records.drop(buckets),
    takeHits: (max) => records.takeHits(max),
    takeShare: () => undefined,
    primaryGone: () => descriptors.closeAll(),
  });
  return { store, records, slabs, segments, damaged, die: () => link.channel.destroy() };
}
