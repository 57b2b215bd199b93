/**
 * Why entries that are gone are gone, in the memory of the primary: a table of fixed size, in which the
 * newest of each set displace the oldest. It holds hashes, so a key is taken for another once in some
 * billions of questions. It explains; nothing is decided by it.
 */
import { hashKey } from '../../../protocol/key-hash.ts';

export type GoneReason = 'expired' | 'purged' | 'evicted' | 'deleted' | 'damaged';

/** By their codes in the table; 0 is a free slot. */
const REASONS: readonly (GoneReason | undefined)[] = [
  undefined,
  'expired',
  'purged',
  'evicted',
  'deleted',
  'damaged',
];
const CODES = new Map(REASONS.map((reason, code) => [reason, code]));

export interface Gone {
  readonly reason: GoneReason;
  /** Unix milliseconds. */
  readonly atMs: number;
  /** The version of the purge that it was; 0 where it was none. */
  readonly purgeVersion: number;
}

/** 131,072 entries; 21 bytes each and one for each set come to 2.7 MiB. */
const SETS = 2 ** 15;
const SLOTS_PER_SET = 4;
const SLOTS = SETS * SLOTS_PER_SET;

export class GoneEntries {
  /** Of what went before this time nothing is known. Unix milliseconds. */
  readonly sinceMs: number;
  readonly #prints = new Uint32Array(SLOTS);
  readonly #codes = new Uint8Array(SLOTS);
  readonly #timesMs = new Float64Array(SLOTS);
  readonly #purges = new Float64Array(SLOTS);
  /** The slot of each set that is given next. */
  readonly #next = new Uint8Array(SETS);

  constructor(sinceMs: number) {
    this.sinceMs = sinceMs;
  }

  note(key: string, reason: GoneReason, atMs: number, purgeVersion = 0): void {
    const set = setOf(key);
    const print = printOf(key);
    let slot = this.#find(set, print);
    if (slot < 0) {
      const next = this.#next[set] ?? 0;
      this.#next[set] = (next + 1) % SLOTS_PER_SET;
      slot = set * SLOTS_PER_SET + next;
    }
    this.#prints[slot] = print;
    this.#codes[slot] = CODES.get(reason) ?? 0;
    this.#timesMs[slot] = atMs;
    this.#purges[slot] = purgeVersion;
  }

  /** Why the entry of a key is gone; undefined where it is not known. */
  reasonOf(key: string): GoneReason | undefined {
    const slot = this.#find(setOf(key), printOf(key));
    return slot < 0 ? undefined : REASONS[this.#codes[slot] ?? 0];
  }

  get(key: string): Gone | undefined {
    const slot = this.#find(setOf(key), printOf(key));
    const reason = slot < 0 ? undefined : REASONS[this.#codes[slot] ?? 0];
    if (reason === undefined) return undefined;
    return {
      reason,
      atMs: this.#timesMs[slot] ?? 0,
      purgeVersion: this.#purges[slot] ?? 0,
    };
  }

  #find(set: number, print: number): number {
    const first = set * SLOTS_PER_SET;
    for (let slot = first; slot < first + SLOTS_PER_SET; slot++) {
      if (this.#prints[slot] === print && this.#codes[slot] !== 0) return slot;
    }
    return -1;
  }
}

function setOf(key: string): number {
  return hashKey(key) & (SETS - 1);
}

/** FNV-1a over the UTF-16 units: independent of the hash that chooses the set. */
function printOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
