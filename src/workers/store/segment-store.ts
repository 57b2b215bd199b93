/**
 * The store of a worker: records from the index, bodies from and to segments on the same disk.
 */
import { BigCacheError } from '../../protocol/errors.ts';
import {
  decodeRecord,
  type EntryMeta,
  type EntryRecord,
  versionOf,
} from '../../protocol/record.ts';
import { type BodyReader, warmItem } from '../../segments/body-reader.ts';
import { EntryWriter } from '../../segments/entry-writer.ts';
import { SegmentDamage } from '../../segments/faults.ts';
import type { SegmentLog } from '../../segments/segment-log.ts';
import type { WarmSet } from '../../segments/warm-set.ts';
import type { EntryIndex } from './entry-index.ts';
import type { BodySource, Framing, Hit, Miss, Store, Stored } from './store.ts';

export interface SegmentStoreOptions {
  readonly index: EntryIndex;
  readonly segments: SegmentLog;
  readonly bodies: BodyReader;
  readonly warm: WarmSet<number>;
  readonly now: () => number;
  /** Told of every entry that was found damaged; it has been dropped. */
  readonly onDamage: (key: string, what: string) => void;
}

/** A body may be moved while it is being read; it is not moved this often. */
const READ_ATTEMPTS_MAX = 4;
const EMPTY = Buffer.alloc(0);
const NO_FRAMING: Framing = { prologue: EMPTY, epilogue: EMPTY };
const NEVER_SEEN: Miss = { found: false, reason: 'never-seen' };

export class SegmentStore implements Store {
  readonly #options: SegmentStoreOptions;
  readonly #writer: EntryWriter;

  constructor(options: SegmentStoreOptions) {
    const { index, segments, now } = options;
    this.#options = options;
    this.#writer = new EntryWriter({
      segments,
      commit: (key, record) => index.commit(key, record),
      now,
    });
  }

  async get(key: string, frame?: (record: EntryRecord) => Framing): Promise<Hit | Miss> {
    let failed: EntryRecord | undefined;
    for (let attempt = 0; attempt < READ_ATTEMPTS_MAX; attempt++) {
      const found = await this.#options.index.lookUp(key);
      if (typeof found === 'string') return { found: false, reason: found };
      const record = decodeRecord(Buffer.from(key), found);
      if (record === undefined) return this.#dropRecord(key, found);
      if (failed !== undefined && isSameBody(failed, record)) break;
      const { prologue, epilogue } = frame?.(record) ?? NO_FRAMING;
      try {
        const content =
          this.#options.bodies.openWarm(record, prologue, epilogue) ??
          (await this.#options.bodies.open(record, prologue, epilogue));
        return { found: true, record, content };
      } catch (error) {
        if (!(error instanceof SegmentDamage)) throw error;
        failed = record;
      }
    }
    if (failed !== undefined) await this.#dropDamaged(key, failed.version, 'body');
    return NEVER_SEEN;
  }

  async find(key: string): Promise<EntryRecord | Miss> {
    const found = await this.#options.index.lookUp(key);
    if (typeof found === 'string') return { found: false, reason: found };
    return decodeRecord(Buffer.from(key), found) ?? this.#dropRecord(key, found);
  }

  async put(key: string, meta: EntryMeta, body: BodySource): Promise<Stored> {
    const { version, created, placed } = await this.#writer.write(key, meta, body);
    // What was written just now is in the page cache.
    this.#options.warm.add(warmItem(placed.pointer));
    return { version, created, plainBytes: placed.storedBytes };
  }

  delete(key: string): Promise<boolean> {
    return this.#options.index.delete(key);
  }

  deletePrefix(prefix: string): Promise<number> {
    return this.#options.index.deletePrefix(prefix);
  }

  clear(): Promise<void> {
    return this.#options.index.clear();
  }

  count(): Promise<number> {
    return this.#options.index.count();
  }

  checkWritable(): Promise<void> {
    return this.#options.index.checkWritable();
  }

  close(): Promise<void> {
    return this.#options.index.close();
  }

  open(): Promise<void> {
    return this.#options.index.open();
  }

  async #dropRecord(key: string, record: Buffer): Promise<Miss> {
    await this.#dropDamaged(key, versionOf(record), 'record');
    return NEVER_SEEN;
  }

  async #dropDamaged(key: string, version: number, what: string): Promise<void> {
    this.#options.onDamage(key, what);
    try {
      await this.#options.index.dropDamaged(key, version);
    } catch (error) {
      // It stays a miss where the index takes no writes at present; a later reader drops it.
      if (!(error instanceof BigCacheError)) throw error;
    }
  }
}

function isSameBody(one: EntryRecord, other: EntryRecord): boolean {
  return (
    one.version === other.version &&
    one.pointer.segment === other.pointer.segment &&
    one.pointer.offset === other.pointer.offset
  );
}
