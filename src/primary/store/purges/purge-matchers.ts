/**
 * Purges, found by what they select: prefixes in one map for each length, tags in one map. To judge an
 * entry costs as much as there are lengths and tags of the entry, never what there are purges. Used by
 * the primary and by its job threads.
 */
import { orderOf, PurgeFlag, type PurgeOrder } from '../../../protocol/purge.ts';
import { hashTag, hasTagHash, tagsOf } from '../../../protocol/record-fields.ts';

/** What a judgement needs of a purge. */
export interface PurgeMark {
  /** It takes entries of smaller versions. */
  readonly version: number;
  /** The empty prefix, without a tag, stands for everything. */
  readonly prefix: string;
  /** It takes entries with this tag, whatever their key; `prefix` is empty then. */
  readonly tag?: string | undefined;
  /** What it takes becomes stale and stays. */
  readonly isSoft?: boolean | undefined;
  readonly startedAtMs?: number;
}

/** The order that the mark stands for. */
export function orderOfPurge(mark: PurgeMark): PurgeOrder {
  return orderOf(mark.tag ?? mark.prefix, flagsOfPurge(mark));
}

/** What the text of a mark does not say; see PurgeFlag. */
export function flagsOfPurge({ tag, isSoft }: PurgeMark): number {
  return (tag === undefined ? 0 : PurgeFlag.tag) | (isSoft === true ? PurgeFlag.soft : 0);
}

/** Whether the mark selects the entry, whatever their versions. */
export function selects({ prefix, tag }: PurgeMark, key: string, record: Buffer): boolean {
  return tag === undefined ? key.startsWith(prefix) : tagsOf(record).includes(tag);
}

export class PurgeMatchers<Mark extends PurgeMark> {
  /** Prefix length -> prefix -> its purges, oldest first. */
  readonly #byLength = new Map<number, Map<string, Mark[]>>();
  readonly #byTag = new Map<string, Mark[]>();
  /** Hash of a tag -> how many tags of it there are. */
  readonly #tagHashes = new Map<number, number>();
  /** Of all that were ever here: entries that are as new need no look. */
  #newestVersion = 0;
  #newestTagVersion = 0;

  add(mark: Mark): void {
    this.#newestVersion = Math.max(this.#newestVersion, mark.version);
    if (mark.tag !== undefined) {
      this.#newestTagVersion = Math.max(this.#newestTagVersion, mark.version);
      if (!this.#byTag.has(mark.tag)) this.#countHash(mark.tag, 1);
      insert(this.#byTag, mark.tag, mark);
      return;
    }
    const { length } = mark.prefix;
    let byPrefix = this.#byLength.get(length);
    if (byPrefix === undefined) {
      byPrefix = new Map();
      this.#byLength.set(length, byPrefix);
    }
    insert(byPrefix, mark.prefix, mark);
  }

  remove(mark: Mark): void {
    if (mark.tag !== undefined) {
      if (!this.#byTag.has(mark.tag)) return;
      pull(this.#byTag, mark.tag, mark);
      if (!this.#byTag.has(mark.tag)) this.#countHash(mark.tag, -1);
      return;
    }
    const byPrefix = this.#byLength.get(mark.prefix.length);
    if (byPrefix === undefined) return;
    pull(byPrefix, mark.prefix, mark);
    if (byPrefix.size === 0) this.#byLength.delete(mark.prefix.length);
  }

  /** Whether one of them takes the entry. `tags` is asked only where a tag could matter. */
  takes(key: string, version: number, tags: Buffer | readonly string[]): boolean {
    if (version >= this.#newestVersion) return false;
    for (const [length, byPrefix] of this.#byLength) {
      if (length > key.length) continue;
      const newest = byPrefix.get(key.slice(0, length))?.at(-1);
      if (newest !== undefined && version < newest.version) return true;
    }
    if (!this.#mayTakeByTag(version)) return false;
    if (Buffer.isBuffer(tags) && !hasTagHash(tags, this.#tagHashes)) return false;
    for (const tag of tagsIn(tags)) {
      const newest = this.#byTag.get(tag)?.at(-1);
      if (newest !== undefined && version < newest.version) return true;
    }
    return false;
  }

  /** The oldest of those that take the entry. */
  oldest(key: string, version: number, record: Buffer): Mark | undefined {
    if (version >= this.#newestVersion) return undefined;
    let found: Mark | undefined;
    for (const [length, byPrefix] of this.#byLength) {
      if (length <= key.length) found = older(found, byPrefix.get(key.slice(0, length)), version);
    }
    if (!this.#mayTakeByTag(version) || !hasTagHash(record, this.#tagHashes)) return found;
    for (const tag of tagsOf(record)) found = older(found, this.#byTag.get(tag), version);
    return found;
  }

  #countHash(tag: string, by: number): void {
    const hash = hashTag(tag);
    const count = (this.#tagHashes.get(hash) ?? 0) + by;
    if (count > 0) this.#tagHashes.set(hash, count);
    else this.#tagHashes.delete(hash);
  }

  #mayTakeByTag(version: number): boolean {
    return this.#byTag.size > 0 && version < this.#newestTagVersion;
  }
}

function tagsIn(tags: Buffer | readonly string[]): readonly string[] {
  return Buffer.isBuffer(tags) ? tagsOf(tags) : tags;
}

function older<Mark extends PurgeMark>(
  found: Mark | undefined,
  marks: readonly Mark[] | undefined,
  version: number,
): Mark | undefined {
  const oldest = marks === undefined ? undefined : firstAbove(marks, version);
  if (oldest === undefined) return found;
  return found === undefined || oldest.version < found.version ? oldest : found;
}

/** The oldest mark that is newer than `version`. REQUIRES: they are oldest first. */
function firstAbove<Mark extends PurgeMark>(
  marks: readonly Mark[],
  version: number,
): Mark | undefined {
  let [from, to] = [0, marks.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((marks[middle] as Mark).version > version) to = middle;
    else from = middle + 1;
  }
  return marks[from];
}

/** Puts the mark in its place by version: purges of one name need not end in the order of their start. */
function insert<Mark extends PurgeMark>(map: Map<string, Mark[]>, name: string, mark: Mark): void {
  const marks = map.get(name);
  if (marks === undefined) {
    map.set(name, [mark]);
    return;
  }
  let at = marks.length;
  while (at > 0 && (marks[at - 1] as Mark).version > mark.version) at -= 1;
  marks.splice(at, 0, mark);
}

function pull<Mark>(map: Map<string, Mark[]>, name: string, mark: Mark): void {
  const marks = map.get(name) ?? [];
  const at = marks.indexOf(mark);
  if (at >= 0) marks.splice(at, 1);
  if (marks.length === 0) map.delete(name);
}
