/**
 * Why a key hits or misses, as the primary tells a worker. Codes are on the wire: never renumber.
 */
import { flagsOf, orderOf, type PurgeOrder, selectorText } from './purge.ts';

export const STATES = ['hit', 'stale', 'miss'] as const;
export type KeyState = (typeof STATES)[number];

/** `fresh` is the reason of a hit; all others are such of stale entries and of misses. */
export const REASONS = [
  'fresh',
  'never-seen',
  'expired',
  'purged',
  'evicted',
  'deleted',
  'damaged',
] as const;
export type Reason = (typeof REASONS)[number];

/** Times are Unix milliseconds; 0 stands for never. */
export interface ExplainedEntry {
  readonly storedAtMs: number;
  readonly expiresAtMs: number;
  readonly staleWhileRevalidateUntilMs: number;
  readonly staleIfErrorUntilMs: number;
  readonly plainBytes: number;
  readonly costMs: number;
  readonly tags: readonly string[];
}

export interface Explanation {
  /** What a plain GET of the entry is answered with. */
  readonly state: KeyState;
  readonly reason: Reason;
  /** When it came to that; 0 where nobody knows. */
  readonly atMs: number;
  /** The purge that it was; 0 where it was none. */
  readonly purgeVersion: number;
  /** What that purge selects, as far as it is still known. */
  readonly purge: PurgeOrder | undefined;
  /** What the index has of the entry, readable or not. */
  readonly entry: ExplainedEntry | undefined;
  /** Of entries that went before this time nothing is known. */
  readonly rememberedSinceMs: number;
}

/** As it crosses the channel. */
export interface WireExplanation {
  readonly state: number;
  readonly reason: number;
  readonly atMs: number;
  readonly purgeVersion: number;
  /** Text and flags of the purge. */
  readonly purge: readonly [text: Buffer, flags: number] | null;
  readonly entry: ExplainedEntry | null;
  readonly rememberedSinceMs: number;
}

export function explanationToWire(told: Explanation): WireExplanation {
  const { state, reason, purge, entry, ...figures } = told;
  return {
    ...figures,
    state: STATES.indexOf(state),
    reason: REASONS.indexOf(reason),
    purge: purge === undefined ? null : [Buffer.from(selectorText(purge.selector)), flagsOf(purge)],
    entry: entry === undefined ? null : entryToWire(entry),
  };
}

function entryToWire(entry: ExplainedEntry): ExplainedEntry {
  const { storedAtMs, expiresAtMs, plainBytes, costMs, tags } = entry;
  const { staleWhileRevalidateUntilMs, staleIfErrorUntilMs } = entry;
  const windows = { staleWhileRevalidateUntilMs, staleIfErrorUntilMs };
  return { storedAtMs, expiresAtMs, ...windows, plainBytes, costMs, tags };
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

/** The explanation behind what came over the channel; undefined for anything else. */
export function explanationFromWire(value: unknown): Explanation | undefined {
  const told = value as Partial<WireExplanation> | null;
  if (typeof told !== 'object' || told === null) return undefined;
  const { atMs, purgeVersion, rememberedSinceMs, purge, entry } = told;
  const state = STATES[told.state ?? -1];
  const reason = REASONS[told.reason ?? -1];
  if (state === undefined || reason === undefined) return undefined;
  if (!isCount(atMs) || !isCount(purgeVersion) || !isCount(rememberedSinceMs)) return undefined;
  if (entry !== null && !isEntry(entry)) return undefined;
  return {
    state,
    reason,
    atMs,
    purgeVersion,
    purge: Array.isArray(purge) ? orderFrom(purge) : undefined,
    entry: entry ?? undefined,
    rememberedSinceMs,
  };
}

function orderFrom([text, flags]: readonly unknown[]): PurgeOrder | undefined {
  return Buffer.isBuffer(text) && isCount(flags) ? orderOf(text.toString(), flags) : undefined;
}

function isEntry(entry: unknown): entry is ExplainedEntry {
  const { tags, ...counts } = (entry ?? {}) as Partial<ExplainedEntry>;
  return Array.isArray(tags) && Object.values(counts).every(isCount);
}
