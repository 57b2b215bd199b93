/**
 * Purges as both sides speak of them: what one selects, its id, and what is told of its progress.
 */

/** What a purge takes: the keys with a prefix, the entries with a tag, or everything. */
export type PurgeSelector =
  | { readonly prefix: string }
  | { readonly tag: string }
  | { readonly all: true };

export interface PurgeOrder {
  readonly selector: PurgeSelector;
  /** Entries become stale instead of being removed. */
  readonly isSoft: boolean;
  /** Nothing changes; it is counted what would. */
  readonly isDryRun: boolean;
}

/** What is told of a purge. Times are Unix milliseconds. */
export interface PurgeReport extends PurgeOrder {
  /** The version of the purge; its id is made of it. */
  readonly version: number;
  /** Entries that it took and that could be read when it began, as far as they are counted. */
  readonly matched: number;
  /** Records that were removed for it, those included that had expired before it. */
  readonly removed: number;
  /** Stored bytes of the bodies of those that matched. */
  readonly bytes: number;
  /** What those had cost to make. */
  readonly costMs: number;
  readonly startedAtMs: number;
  /** Null while it is being worked off. */
  readonly finishedAtMs: number | null;
}

/** How an order crosses the channel, beside its text, and lies in the index. Never renumber. */
export const PurgeFlag = { tag: 1, soft: 2, dryRun: 4 } as const;
export const PURGE_FLAGS_MAX = 7;

/** The text of a selector, the empty one standing for everything. */
export function selectorText(selector: PurgeSelector): string {
  if ('prefix' in selector) return selector.prefix;
  return 'tag' in selector ? selector.tag : '';
}

export function flagsOf({ selector, isSoft, isDryRun }: PurgeOrder): number {
  const kind = 'tag' in selector ? PurgeFlag.tag : 0;
  return kind | (isSoft ? PurgeFlag.soft : 0) | (isDryRun ? PurgeFlag.dryRun : 0);
}

/** The order of which `text` and `flags` were made. */
export function orderOf(text: string, flags: number): PurgeOrder {
  return {
    selector: selectorOf(text, (flags & PurgeFlag.tag) !== 0),
    isSoft: (flags & PurgeFlag.soft) !== 0,
    isDryRun: (flags & PurgeFlag.dryRun) !== 0,
  };
}

function selectorOf(text: string, isTag: boolean): PurgeSelector {
  if (isTag) return { tag: text };
  return text === '' ? { all: true } : { prefix: text };
}

const EPOCH = 2 ** 32;
const ID = /^([0-9a-f]{1,6})-([0-9a-f]{1,8})$/;

/** The id of the purge of this version: the epoch of the server's start, and a number within it. */
export function purgeId(version: number): string {
  return `${Math.floor(version / EPOCH).toString(16)}-${(version % EPOCH).toString(16)}`;
}

/** The version behind an id; undefined for what is none. */
export function versionOfPurgeId(id: string): number | undefined {
  const match = ID.exec(id);
  if (match === null) return undefined;
  const version = Number.parseInt(match[1] ?? '', 16) * EPOCH + Number.parseInt(match[2] ?? '', 16);
  return Number.isSafeInteger(version) && purgeId(version) === id ? version : undefined;
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

/** A report as it crosses the channel. */
export function reportToList(report: PurgeReport): unknown[] {
  const { version, matched, removed, bytes, costMs, startedAtMs, finishedAtMs } = report;
  const figures = [version, matched, removed, bytes, costMs, startedAtMs, finishedAtMs];
  return [Buffer.from(selectorText(report.selector)), flagsOf(report), ...figures];
}

/** The report of such a list; undefined for what is none. */
export function reportFromList(list: unknown): PurgeReport | undefined {
  if (!Array.isArray(list) || list.length !== 9) return undefined;
  const [text, flags, ...figures] = list as unknown[];
  const finishedAtMs = figures.pop() ?? null;
  if (!Buffer.isBuffer(text) || !isCount(flags) || !figures.every(isCount)) return undefined;
  if (finishedAtMs !== null && !isCount(finishedAtMs)) return undefined;
  const [version, matched, removed, bytes, costMs, startedAtMs] = figures as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const order = orderOf(text.toString(), flags);
  return { ...order, version, matched, removed, bytes, costMs, startedAtMs, finishedAtMs };
}
