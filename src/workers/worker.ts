/**
 * One worker's life: builds the store and the HTTP app, listens, reports each second, drains.
 */
import { once } from 'node:events';
import { Server as HttpsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Access } from '../protocol/access.ts';
import { type Counters, countersFromList, newCounters } from '../protocol/counters.ts';
import { BigCacheError } from '../protocol/errors.ts';
import { loggedKey } from '../protocol/logged-key.ts';
import { Opcode } from '../protocol/opcodes.ts';
import { Savings } from '../protocol/savings.ts';
import { statisticsFromList } from '../protocol/statistics.ts';
import type { Welcome } from '../protocol/welcome.ts';
import { BodyReader } from '../segments/body-reader.ts';
import { BodyEncoder } from '../segments/compression/body-encoder.ts';
import { Descriptors } from '../segments/descriptors.ts';
import { SegmentLog } from '../segments/segment-log.ts';
import { SlabPool } from '../segments/slabs.ts';
import { WarmSet } from '../segments/warm-set.ts';
import { stopAccepting } from './accepting.ts';
import { Tokens } from './access/tokens.ts';
import { buildApp } from './app.ts';
import { Uploads } from './body/uploads.ts';
import { boundConnections, descriptorLimit, descriptorRoom } from './descriptor-room.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { WorkerMeasures } from './metrics/worker-measures.ts';
import type { PrimaryLink } from './primary-link.ts';
import { ChannelIndex } from './store/channel-index.ts';
import { RecordCache } from './store/record-cache.ts';
import { SegmentStore } from './store/segment-store.ts';
import { WriteRoom } from './store/write-room.ts';
import { Surplus } from './surplus.ts';

/** Checking a large index that crashed may take minutes. */
const STORE_OPEN_WITHIN_MS = 24 * 3_600_000;
const REPORT_EVERY_MS = 1000;
/** Without its primary a worker answers what is open and is gone within a second. */
const ORPHAN_MS = 900;
/** The listening socket, which all workers inherit and accept from. */
const LISTENING_FD = 4;
const SEAL_POLL_MS = 5;

/** Runs the worker; resolves when it listens, which it does once the store is open. */
export async function startWorker(link: PrimaryLink, welcome: Welcome, log: Logger): Promise<void> {
  const worker = new RunningWorker(link, welcome, log);
  await worker.listen();
}

class RunningWorker {
  readonly #link: PrimaryLink;
  readonly #welcome: Welcome;
  readonly #log: Logger;
  readonly #counters: Counters = newCounters();
  readonly #tokens: Tokens;
  readonly #segments: SegmentLog;
  readonly #room = descriptorRoom(descriptorLimit());
  readonly #descriptors: Descriptors;
  readonly #uploads = new Uploads(DEFAULT_LIMITS);
  readonly #app: Promise<FastifyInstance>;
  readonly #savings = new Savings();
  readonly #measures: WorkerMeasures;
  readonly #index: ChannelIndex;
  readonly #records: RecordCache | undefined;
  readonly #slabs = new SlabPool();
  readonly #writes = new WriteRoom(DEFAULT_LIMITS.writesMax);
  readonly #surplus = new Surplus(() => this.#measures.connectionsOpen);
  #isDraining = false;

  constructor(link: PrimaryLink, welcome: Welcome, log: Logger) {
    this.#link = link;
    this.#welcome = welcome;
    this.#log = log;
    this.#tokens = new Tokens(welcome.access.tokens);
    const { recordCacheBytes, bodyCacheBytes } = welcome.config;
    this.#records =
      recordCacheBytes > 0 ? new RecordCache(recordCacheBytes, bodyCacheBytes) : undefined;
    const index = new ChannelIndex(link.channel, this.#records);
    this.#index = index;
    this.#measures = new WorkerMeasures({
      channel: link.channel,
      counters: this.#counters,
      records: this.#records,
      writes: this.#writes,
      answers: this.#slabs,
    });
    this.#segments = new SegmentLog({
      directory: welcome.segmentsPath,
      segmentBytes: welcome.config.segmentBytes,
      writer: welcome.writer,
      grants: {
        grant: (bytes) => index.grantSegment(bytes),
        extend: (segment, bytes) => index.extendSegment(segment, bytes),
        seal: (segment, fileBytes) => index.sealSegment(segment, fileBytes),
      },
      now: Date.now,
      syncsStreams: welcome.config.durability !== 'none',
      onFailure: (segment, error) => {
        const err = error.cause ?? error;
        log.error({ err, segment }, 'a segment cannot be written; another one is begun');
      },
    });
    this.#descriptors = new Descriptors(welcome.segmentsPath, this.#room.segmentsMax);
    this.#app = this.#build(index);
    link.take({
      drain: () => this.#drain(),
      dropSegment: (segment) => this.#descriptors.drop(segment),
      retireSegment: (segment) => this.#segments.retire(segment),
      sealAll: () => this.#sealAll(),
      counters: () => this.#counters,
      savings: () => this.#savings,
      tally: () => this.#measures.take(),
      leaseGranted: (key, waiter, token) => index.leaseGranted(key, waiter, token),
      leaseSettled: (key, record) => index.waiting.settled(key, record),
      takeAccess: (access) => this.#takeAccess(access),
      dropRecords: (buckets) => this.#records?.drop(buckets),
      takeHits: (max) => this.#records?.takeHits(max) ?? [],
      takeShare: (share) => this.#surplus.beginRound(share, performance.now()),
      primaryGone: () => this.#orphaned(),
    });
  }

  async listen(): Promise<void> {
    const app = await this.#app;
    await app.ready();
    await this.#link.channel.requestWithin(STORE_OPEN_WITHIN_MS, Opcode.awaitStore);
    if (this.#isDraining) return;
    this.#measures.watch(app.server);
    boundConnections(app.server, this.#room, this.#measures.traffic.counts, this.#log);
    app.server.listen({ fd: LISTENING_FD });
    await once(app.server, 'listening');
    this.#link.channel.notify(Opcode.ready);
    setInterval(() => this.#link.report(this.#counters), REPORT_EVERY_MS);
  }

  async #build(index: ChannelIndex): Promise<FastifyInstance> {
    const warm = new WarmSet<number>();
    const store = new SegmentStore({
      index,
      segments: this.#segments,
      bodies: new BodyReader(this.#descriptors, this.#slabs, warm),
      warm,
      ...(this.#records === undefined ? {} : { records: this.#records }),
      now: Date.now,
      writes: this.#writes,
      ...(this.#welcome.config.compression ? { encoder: new BodyEncoder() } : {}),
      onDamage: (key, what) => {
        this.#measures.traffic.counts.damagedEntries += 1;
        this.#log.error({ key: loggedKey(key), what }, 'a damaged entry was dropped');
      },
    });
    return buildApp({
      store,
      config: this.#welcome.config,
      tokens: this.#tokens,
      tls: this.#welcome.access.tls,
      counters: this.#counters,
      collectCounters: async () => {
        return countersFromList(await this.#link.channel.request(Opcode.sumCounters));
      },
      savings: this.#savings,
      traffic: this.#measures.traffic,
      surplus: this.#surplus,
      collectStatistics: async () => {
        return statisticsFromList(await this.#link.channel.request(Opcode.sumStatistics));
      },
      log: this.#log,
      version: this.#welcome.version,
      isDraining: () => this.#isDraining,
      uploads: this.#uploads,
    });
  }

  /** Open connections keep the certificate that they began with. */
  #takeAccess({ tokens, tls }: Access): void {
    this.#tokens.replace(tokens);
    if (tls === null) return;
    void this.#app.then(({ server }) => {
      if (server instanceof HttpsServer) server.setSecureContext(tls);
    });
  }

  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#index.waiting.close();
    void this.#finish();
  }

  /** Stops accepting, answers what was accepted, seals, leaves. */
  async #finish(): Promise<void> {
    const app = await this.#app;
    await stopAccepting(app.server);
    await app.close();
    await this.#sealAll();
    this.#link.report(this.#counters);
    this.#link.take({
      ...LEAVING,
      // Whoever asks until the end must not hear less than before.
      counters: () => this.#counters,
      savings: () => this.#savings,
      tally: () => this.#measures.take(),
      dropRecords: (buckets) => this.#records?.drop(buckets),
      takeHits: (max) => this.#records?.takeHits(max) ?? [],
      primaryGone: () => process.exit(0),
    });
    this.#link.channel.end();
  }

  /** A body that is still arriving may take hours, and its segment is open until it ends. */
  async #sealAll(): Promise<void> {
    this.#uploads.failStreams(new BigCacheError('STORE_CLOSED'));
    await this.#segments.sealAll();
    while (!this.#segments.isIdle) await sleep(SEAL_POLL_MS);
  }

  /** The channel has already failed every request that was open, so each is answered with a 503. */
  #orphaned(): void {
    this.#isDraining = true;
    this.#index.waiting.close();
    setTimeout(() => process.exit(1), ORPHAN_MS);
    this.#app
      .then((app) => app.close())
      .then(
        () => process.exit(1),
        () => process.exit(1),
      );
  }
}

const LEAVING = {
  drain: () => undefined,
  dropSegment: () => undefined,
  retireSegment: () => undefined,
  sealAll: () => Promise.resolve(),
  leaseGranted: () => undefined,
  leaseSettled: () => undefined,
  takeAccess: () => undefined,
  takeShare: () => undefined,
};
