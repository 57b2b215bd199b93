/** What a MemoryStore answers of an entry, judged plainly: whether it is shown, why, and what selects it. */
import type { Explanation, Reason } from '../../../src/protocol/explanation.ts';
import type { PurgeReport, PurgeSelector } from '../../../src/protocol/purge.ts';
import type { EntryRecord } from '../../../src/protocol/record.ts';
import type { Reading } from '../../../src/workers/store/store.ts';
import type { Entry } from './memory-content.ts';

/** Why an entry is gone, since when and by what. */
export interface Gone {
  readonly reason: Reason;
  readonly atMs: number;
  readonly by?: PurgeReport;
}

export const selects = (
  selector: PurgeSelector,
  key: string,
  entry: Entry | undefined,
): boolean => {
  if ('tag' in selector) return entry?.record.tags.includes(selector.tag) ?? false;
  return 'all' in selector || key.startsWith(selector.prefix);
};

export function isShownAt(record: EntryRecord, stale: Reading['stale'], nowMs: number): boolean {
  if (record.expiresAtMs === 0 || record.expiresAtMs > nowMs) return true;
  if (stale === undefined) return false;
  if (record.staleWhileRevalidateUntilMs > nowMs) return true;
  return stale === 'if-error' && record.staleIfErrorUntilMs > nowMs;
}

/** Why a key hits or misses at `nowMs`. */
export function explained(
  { entry, gone }: { readonly entry: Entry | undefined; readonly gone: Gone | undefined },
  nowMs: number,
  rememberedSinceMs: number,
): Explanation {
  if (entry === undefined) {
    const { reason, atMs, by } = gone ?? { reason: 'never-seen', atMs: 0 };
    const told = { state: 'miss', reason, atMs, entry: undefined, rememberedSinceMs } as const;
    return { ...told, purgeVersion: by?.version ?? 0, purge: by };
  }
  const { record, softenedBy: by } = entry;
  const isFresh = isShownAt(record, undefined, nowMs);
  const isStale = isShownAt(record, 'while-revalidate', nowMs);
  return {
    state: isFresh ? 'hit' : isStale ? 'stale' : 'miss',
    reason: isFresh ? 'fresh' : by === undefined ? 'expired' : 'purged',
    atMs: isFresh ? record.storedAtMs : record.expiresAtMs,
    purgeVersion: by?.version ?? 0,
    purge: by,
    entry: record,
    rememberedSinceMs,
  };
}
