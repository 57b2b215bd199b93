/**
 * The judgement of what the index holds under a key, in the primary: what a reader is shown, and why. It
 * knows the purges, the time, the segments that are lost, and what is remembered of entries that went.
 */
import type { Explanation, KeyState, Reason } from '../../protocol/explanation.ts';
import { MISS_CODES, type MissCode } from '../../protocol/miss.ts';
import type { PurgeOrder } from '../../protocol/purge.ts';
import {
  decodeRecord,
  type EntryRecord,
  pointerOf,
  usefulUntilOf,
  withWholeHead,
} from '../../protocol/record.ts';
import { orderOfPurge } from './purges/purge-matchers.ts';
import type { LossCause } from './segment-stats.ts';
import type { Visited } from './space/visited.ts';
import type { StoreState } from './state.ts';

/** A record as it is shown, or the code of why there is nothing to read. */
export type Lookup = Buffer | MissCode;

export class Judge {
  /** Segments whose files are gone, although records point into them. */
  readonly lost = new Map<number, LossCause>();
  readonly #state: StoreState;
  readonly #visited: Pick<Visited, 'mark'> | undefined;

  constructor(state: StoreState, visited: Pick<Visited, 'mark'> | undefined) {
    this.#state = state;
    this.#visited = visited;
  }

  /** What a reader gets who asks now. */
  judge(key: string, found: Buffer | undefined, nowMs: number): Lookup {
    if (found === undefined) return this.#judgeGone(key);
    const judged = this.#judgeFound(key, found, nowMs);
    if (typeof judged !== 'number') this.#visited?.mark(key);
    return judged;
  }

  /**
   * What a listing shows of an entry; undefined for one that no reader is shown, not even stale.
   * Marks nothing as read.
   */
  listed(key: string, found: Buffer, nowMs: number): Buffer | undefined {
    const judged = this.#judgeFound(key, found, nowMs);
    return typeof judged === 'number' ? undefined : judged;
  }

  #judgeFound(key: string, found: Buffer, nowMs: number): Lookup {
    const { purges } = this.#state;
    const record = withWholeHead(found);
    if (purges.isPurged(key, record)) return MISS_CODES.purged;
    // Whether it is shown stale is for the reader to say.
    const untilMs = usefulUntilOf(record);
    if (untilMs !== 0 && untilMs <= nowMs) return MISS_CODES.expired;
    if (this.lost.size > 0 && this.lost.has(pointerOf(record).segment)) return MISS_CODES.evicted;
    return purges.withStaleness(key, record);
  }

  #judgeGone(key: string): MissCode {
    const reason = this.#state.gone.reasonOf(key);
    if (reason === 'purged' || reason === 'evicted') return MISS_CODES[reason];
    return reason === 'expired' ? MISS_CODES.swept : MISS_CODES['never-seen'];
  }

  /** Why a reader who asks now gets what he gets. Marks nothing as read. */
  explain(key: string, found: Buffer | undefined, nowMs: number): Explanation {
    if (found === undefined) return this.#explainGone(key);
    const { purges, gone } = this.#state;
    const record = withWholeHead(found);
    if (purges.isPurged(key, record)) {
      const killer = purges.killerOf(key, record);
      const by = { atMs: killer?.startedAtMs ?? 0, purgeVersion: killer?.version ?? 0 };
      return this.#explanation('miss', 'purged', by, decodeRecord(Buffer.from(key), record));
    }
    const entry = decodeRecord(Buffer.from(key), purges.withStaleness(key, record));
    if (entry === undefined) return this.#explanation('miss', 'damaged', UNKNOWN);
    const loss = this.lost.get(entry.pointer.segment);
    if (loss !== undefined) {
      const reason = loss === 'missing' ? 'damaged' : 'evicted';
      return this.#explanation('miss', reason, UNKNOWN, entry);
    }
    const state = stateOf(entry, nowMs);
    if (state === 'hit') {
      return this.#explanation('hit', 'fresh', { atMs: entry.storedAtMs, purgeVersion: 0 }, entry);
    }
    const softener = purges.softenerOf(key, record)?.version;
    const noted = gone.get(key);
    const isNoted = noted?.reason === 'purged' && noted.atMs === entry.expiresAtMs;
    const purgeVersion = softener ?? (isNoted ? noted.purgeVersion : 0);
    const reason = purgeVersion === 0 ? 'expired' : 'purged';
    return this.#explanation(state, reason, { atMs: entry.expiresAtMs, purgeVersion }, entry);
  }

  #explainGone(key: string): Explanation {
    const gone = this.#state.gone.get(key);
    if (gone === undefined) return this.#explanation('miss', 'never-seen', UNKNOWN);
    return this.#explanation('miss', gone.reason, gone);
  }

  #explanation(
    state: KeyState,
    reason: Reason,
    { atMs, purgeVersion }: { readonly atMs: number; readonly purgeVersion: number },
    entry?: EntryRecord,
  ): Explanation {
    return {
      state,
      reason,
      atMs,
      purgeVersion,
      purge: this.#orderOf(purgeVersion),
      entry,
      rememberedSinceMs: this.#state.gone.sinceMs,
    };
  }

  #orderOf(version: number): PurgeOrder | undefined {
    const { purges, reports } = this.#state;
    const purge = purges.get(version) ?? reports.get(version);
    return purge === undefined ? undefined : orderOfPurge(purge);
  }
}

const UNKNOWN = { atMs: 0, purgeVersion: 0 };

/** What a plain GET gets: it is shown what is within stale-while-revalidate. */
function stateOf(entry: EntryRecord, nowMs: number): KeyState {
  if (entry.expiresAtMs === 0 || entry.expiresAtMs > nowMs) return 'hit';
  return entry.staleWhileRevalidateUntilMs > nowMs ? 'stale' : 'miss';
}
