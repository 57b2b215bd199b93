/**
 * Reads of entries whose records the worker holds: nothing is asked of the primary, and where the body is in
 * memory by all appearances nothing is waited for.
 */
import type { EntryRecord } from '../../protocol/record.ts';
import type { BodyMemory, FormReader } from '../../segments/compression/form-reader.ts';
import { SegmentDamage } from '../../segments/faults.ts';
import type { HeldRecord, RecordCache } from './record-cache.ts';
import { isShown, NO_FRAMING, NOTHING } from './shown.ts';
import { type Content, type Framing, type Hit, NO_BODY, type Reading } from './store.ts';

export interface HeldReadsOptions {
  readonly records: RecordCache;
  readonly bodies: FormReader;
  readonly now: () => number;
  /** Makes a hit of an opened body, which may turn out damaged while it is sent. */
  readonly hit: (key: string, record: EntryRecord, content: Content) => Hit;
}

export class HeldReads {
  readonly #records: RecordCache;
  readonly #bodies: FormReader;
  readonly #now: () => number;
  readonly #hit: HeldReadsOptions['hit'];

  constructor({ records, bodies, now, hit }: HeldReadsOptions) {
    this.#hit = hit;
    this.#records = records;
    this.#bodies = bodies;
    this.#now = now;
  }

  /** The entry, if its record is held and is to be shown; undefined otherwise: the primary is asked then. */
  read(key: string, reading: Reading): Hit | Promise<Hit | undefined> | undefined {
    return this.#read(key, reading, reading.stale);
  }

  /** `read` that shows nothing stale: with that the primary may give a lease. */
  readFresh(key: string, reading: Reading): Hit | Promise<Hit | undefined> | undefined {
    return this.#read(key, reading, undefined);
  }

  #read(
    key: string,
    reading: Reading,
    stale: Reading['stale'],
  ): Hit | Promise<Hit | undefined> | undefined {
    const held = this.#records.get(key);
    const record = held && this.#records.recordOf(held);
    if (held === undefined || record === undefined) return undefined;
    if (!isShown(record, stale, this.#now())) {
      this.#records.remove(held);
      return undefined;
    }
    const framing = reading.frame?.(record) ?? NO_FRAMING;
    if (framing === NO_BODY) {
      this.#records.noteHit(held, false);
      return { found: true, record, content: NOTHING };
    }
    return this.#open(held, record, framing);
  }

  #open(
    held: HeldRecord,
    record: EntryRecord,
    framing: Framing,
  ): Hit | Promise<Hit | undefined> | undefined {
    try {
      const opened = this.#bodies.open(record, framing, this.#memoryOf(held, record));
      if (opened instanceof Promise) return this.#opened(held, record, opened);
      this.#records.noteHit(held, true);
      return this.#hit(held.key, record, opened);
    } catch (error) {
      return this.#damaged(held, error);
    }
  }

  async #opened(
    held: HeldRecord,
    record: EntryRecord,
    opened: Promise<Content>,
  ): Promise<Hit | undefined> {
    try {
      const content = await opened;
      this.#records.noteHit(held, true);
      return this.#hit(held.key, record, content);
    } catch (error) {
      return this.#damaged(held, error);
    }
  }

  /** Its segment is gone, since it was moved or evicted; or it is damaged, which is found out again. */
  #damaged(held: HeldRecord, error: unknown): undefined {
    if (!(error instanceof SegmentDamage)) throw error;
    this.#records.remove(held);
    return undefined;
  }

  /** What is held of the body; where nothing is and that is worth its memory, it is kept when it is read. */
  #memoryOf(held: HeldRecord, { storedBytes, inlineBody }: EntryRecord): BodyMemory {
    if (held.body !== undefined || inlineBody !== undefined) return held;
    if (!this.#records.wantsBody(held, storedBytes)) return held;
    return { offer: (stored) => this.#records.keepBody(held, copyOf(stored)) };
  }
}

/** A copy in memory of its own: a piece of Node's pool would keep all 8 KiB of that. */
function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
