/**
 * What one batch of the write lane does to purges: those that it begins and ends, what it counts for
 * them, and what it notes of the entries that go. Nobody sees any of it until the batch is published.
 */
import {
  isFreshAt,
  staleRecord,
  storedBytesOf,
  usefulUntilOf,
  versionOf,
} from '../../../protocol/record.ts';
import { costMsOf } from '../../../protocol/record-fields.ts';
import { purgeKey, reportKey } from '../index/index-keys.ts';
import type { IndexChange } from '../index/index-writes.ts';
import type { StoreState } from '../state.ts';
import type { GoneReason } from './gone-entries.ts';
import { type PurgeMark, selects } from './purge-matchers.ts';
import { encodePurge, encodeReport } from './purge-record.ts';
import { newPurge, type Purge } from './purges.ts';

interface Credit {
  matched: number;
  removed: number;
  bytes: number;
  costMs: number;
}

interface Note {
  readonly key: string;
  readonly reason: GoneReason;
  readonly atMs: number;
  readonly purgeVersion: number;
}

export class PurgeOverlay {
  readonly #state: StoreState;
  readonly #begun: Purge[] = [];
  readonly #ended = new Set<number>();
  readonly #credits = new Map<Purge, Credit>();
  readonly #notes: Note[] = [];

  constructor(state: StoreState) {
    this.#state = state;
  }

  get pending(): number {
    return this.#state.purges.size + this.#begun.length - this.#ended.size;
  }

  begin(mark: PurgeMark): Purge {
    const purge = newPurge(mark);
    this.#begun.push(purge);
    return purge;
  }

  end(version: number): void {
    if (this.#state.purges.get(version) !== undefined) this.#ended.add(version);
  }

  /** Whether a purge, of before or of this batch, removed the entry. A clear is judged elsewhere. */
  isPurged(key: string, record: Buffer): boolean {
    return this.#state.purges.isPurged(key, record) || this.#newKiller(key, record) !== undefined;
  }

  /** Whether a soft purge, of before or of this batch, made the entry stale. */
  isSoftened(key: string, record: Buffer): boolean {
    const softener = this.#state.purges.softenerOf(key, record) ?? this.#newSoftener(key, record);
    return softener !== undefined;
  }

  /** Whether this batch begins a purge, hard or soft. */
  get hasBegun(): boolean {
    return this.#begun.length > 0;
  }

  /** Whether a purge that this batch begins selects one of these records of `key`. */
  hasBegunOver(key: string, records: readonly Buffer[]): boolean {
    return this.#begun.some((purge) => records.some((record) => selects(purge, key, record)));
  }

  /** The oldest purge that removed the entry. */
  killerOf(key: string, record: Buffer): Purge | undefined {
    return this.#state.purges.killerOf(key, record) ?? this.#newKiller(key, record);
  }

  /** Counts a record that goes, for the purges that took it. */
  creditGone(key: string, record: Buffer, isRemoved: boolean): void {
    const killer = this.killerOf(key, record);
    const softener = this.#state.purges.softenerOf(key, record) ?? this.#newSoftener(key, record);
    if (softener !== undefined && (killer === undefined || softener.version < killer.version)) {
      this.#creditMatch(softener, record);
    }
    if (killer === undefined) return;
    const untilMs = usefulUntilOf(record);
    if (untilMs === 0 || untilMs > killer.startedAtMs) this.#creditMatch(killer, record);
    if (isRemoved) this.#creditOf(killer).removed += 1;
  }

  /**
   * The record as a soft purge of before has made it, which counts it; undefined where none took it
   * while it was fresh.
   */
  soften(key: string, record: Buffer): Buffer | undefined {
    const purge = this.#state.purges.softenerOf(key, record);
    if (purge === undefined) return undefined;
    const { startedAtMs: atMs, version } = purge;
    this.#creditMatch(purge, record);
    this.#notes.push({ key, reason: 'purged', atMs, purgeVersion: version });
    return staleRecord(Buffer.from(key), record, atMs);
  }

  /** Notes why a record goes. One that had expired before has expired, whoever removes it. */
  noteGone(key: string, record: Buffer, reason: GoneReason, nowMs: number): void {
    const untilMs = usefulUntilOf(record);
    if (reason === 'purged') {
      const killer = this.killerOf(key, record);
      const atMs = killer?.startedAtMs ?? nowMs;
      this.#notes.push({ key, reason, atMs, purgeVersion: killer?.version ?? 0 });
    } else if (untilMs !== 0 && untilMs <= nowMs) {
      this.#notes.push({ key, reason: 'expired', atMs: untilMs, purgeVersion: 0 });
    } else this.#notes.push({ key, reason, atMs: nowMs, purgeVersion: 0 });
  }

  changes(nowMs: number): IndexChange[] {
    const changes: IndexChange[] = [];
    for (const purge of this.#begun) {
      changes.push({ type: 'put', key: purgeKey(purge.version), value: encodePurge(purge) });
    }
    if (this.#ended.size === 0) return changes;
    for (const version of this.#state.reports.beyond(this.#ended.size)) {
      changes.push({ type: 'del', key: reportKey(version) });
    }
    for (const purge of this.#endedPurges()) {
      const { version } = purge;
      const report = { ...this.#credited(purge), finishedAtMs: nowMs };
      changes.push({ type: 'del', key: purgeKey(version) });
      changes.push({ type: 'put', key: reportKey(version), value: encodeReport(report) });
    }
    return changes;
  }

  /** Makes it the truth. REQUIRES: `changes` are in the index. */
  publish(nowMs: number): void {
    const { purges, reports, gone } = this.#state;
    for (const purge of this.#begun) purges.add(purge);
    for (const [purge, credit] of this.#credits) Object.assign(purge, sum(purge, credit));
    for (const version of reports.beyond(this.#ended.size)) reports.remove(version);
    for (const purge of this.#endedPurges()) {
      purge.finishedAtMs = nowMs;
      purges.remove(purge.version);
      reports.add(purge);
    }
    for (const { key, reason, atMs, purgeVersion } of this.#notes) {
      gone.note(key, reason, atMs, purgeVersion);
    }
  }

  #endedPurges(): Purge[] {
    return [...this.#ended]
      .map((version) => this.#state.purges.get(version))
      .filter((purge) => purge !== undefined);
  }

  #newKiller(key: string, record: Buffer): Purge | undefined {
    if (this.#begun.length === 0) return undefined;
    const version = versionOf(record);
    return this.#begun.find(
      (purge) => purge.isSoft !== true && version < purge.version && selects(purge, key, record),
    );
  }

  #newSoftener(key: string, record: Buffer): Purge | undefined {
    const version = versionOf(record);
    return this.#begun.find(
      (purge) =>
        purge.isSoft === true &&
        version < purge.version &&
        selects(purge, key, record) &&
        isFreshAt(record, purge.startedAtMs),
    );
  }

  #creditMatch(purge: Purge, record: Buffer): void {
    const credit = this.#creditOf(purge);
    credit.matched += 1;
    credit.bytes += storedBytesOf(record);
    credit.costMs += costMsOf(record);
  }

  #creditOf(purge: Purge): Credit {
    let credit = this.#credits.get(purge);
    if (credit === undefined) {
      credit = { matched: 0, removed: 0, bytes: 0, costMs: 0 };
      this.#credits.set(purge, credit);
    }
    return credit;
  }

  #credited(purge: Purge): Purge {
    const credit = this.#credits.get(purge);
    return credit === undefined ? purge : { ...purge, ...sum(purge, credit) };
  }
}

function sum(purge: Purge, more: Credit): Credit {
  return {
    matched: purge.matched + more.matched,
    removed: purge.removed + more.removed,
    bytes: purge.bytes + more.bytes,
    costMs: purge.costMs + more.costMs,
  };
}
