/** What this worker counts and measures of itself, gathered for the primary when that is told. */
import type { Server } from 'node:http';
import type { Channel } from '../../protocol/channel.ts';
import type { Counters } from '../../protocol/counters.ts';
import { EventLoopWatch } from '../../protocol/event-loop.ts';
import type { ProcessFigures } from '../../protocol/figures.ts';
import { memoryFigures } from '../../protocol/process-memory.ts';
import type { Tally } from '../../protocol/statistics.ts';
import type { SlabPool } from '../../segments/slabs.ts';
import type { RecordCache } from '../store/record-cache.ts';
import type { WriteRoom } from '../store/write-room.ts';
import { Connections } from './connections.ts';
import { Traffic } from './traffic.ts';

/** What a worker that holds no records says of them. */
const NOTHING_HELD = { hits: 0, size: 0, bytes: 0, bodyBytes: 0 };

type Held = Pick<RecordCache, 'hits' | 'size' | 'bytes' | 'bodyBytes'>;

/** What of a worker is measured. */
export interface Measured {
  readonly channel: Pick<Channel, 'counts' | 'pendingCount' | 'unsentBytes'>;
  readonly counters: Readonly<Counters>;
  /** Undefined where it holds none. */
  readonly records: Held | undefined;
  readonly writes: Pick<WriteRoom, 'underWay' | 'refused'>;
  readonly answers: Pick<SlabPool, 'loanBytes' | 'refused'>;
}

export class WorkerMeasures {
  readonly traffic = new Traffic();
  readonly #measured: Measured;
  readonly #connections = new Connections();
  readonly #loop = new EventLoopWatch();

  constructor(measured: Measured) {
    this.#measured = measured;
  }

  /** Counts the connections of a server from now on. */
  watch(server: Server): void {
    this.#connections.watch(server);
  }

  get connectionsOpen(): number {
    return this.#connections.open;
  }

  /** All that was counted since the start, and what the process is like now. */
  take(): [Tally, ProcessFigures] {
    const { channel, counters, records = NOTHING_HELD, writes, answers } = this.#measured;
    const { requests, overloads, timeouts } = channel.counts;
    const { user, system } = process.cpuUsage();
    Object.assign(this.traffic.counts, this.#connections.counts, {
      channelRequests: requests,
      channelOverloads: overloads,
      channelTimeouts: timeouts,
      writesRefused: writes.refused,
      answersRefused: answers.refused,
      heldHits: records.hits,
      cpuUserUs: user,
      cpuSystemUs: system,
    });
    const figures = {
      ...memoryFigures(),
      ...this.#loop.figures,
      connectionsOpen: this.#connections.open,
      writesUnderWay: writes.underWay,
      answerBytes: answers.loanBytes,
      channelPending: channel.pendingCount,
      channelUnsentBytes: channel.unsentBytes,
      heldRecords: records.size,
      heldRecordBytes: records.bytes,
      heldBodyBytes: records.bodyBytes,
    };
    return [this.traffic.tallyWith(counters), figures];
  }
}
