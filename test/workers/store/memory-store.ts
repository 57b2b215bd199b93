/**
 * A Store in memory: small, correct, with its clock given. It stands in for the real one where the
 * HTTP side is tested, and keeps the contract suite honest.
 */
import { BigCacheError } from '../../../src/protocol/errors.ts';
import type { EntryMeta, EntryRecord } from '../../../src/protocol/record.ts';
import type {
  BodySource,
  Content,
  Framing,
  Hit,
  Miss,
  Store,
  Stored,
} from '../../../src/workers/store/store.ts';

const PIECE_BYTES = 64 * 1024;
/** Longer contents are streamed, as the real store streams what fits no slab. */
const WHOLE_BYTES_MAX = 1024 * 1024;

interface Entry {
  readonly record: EntryRecord;
  readonly body: Buffer;
}

class MemoryContent implements Content {
  readonly byteLength: number;
  readonly whole: Buffer | undefined;
  readonly #bytes: Buffer;
  readonly #onRelease: () => void;
  #isReleased = false;

  constructor(bytes: Buffer, onRelease: () => void) {
    this.#bytes = bytes;
    this.#onRelease = onRelease;
    this.byteLength = bytes.length;
    this.whole = bytes.length <= WHOLE_BYTES_MAX ? bytes : undefined;
  }

  /** Hands out one buffer again and again, so that whoever keeps a piece too long is found out. */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let at = 0; at < this.#bytes.length; at += PIECE_BYTES) {
      piece.fill(0xff);
      yield piece.subarray(0, this.#bytes.copy(piece, 0, at, at + PIECE_BYTES));
    }
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#onRelease();
  }
}

export class MemoryStore implements Store {
  /** Contents handed out and not yet released. */
  unreleased = 0;
  readonly #entries = new Map<string, Entry>();
  readonly #purged = new Set<string>();
  readonly #now: () => number;
  #isOpen = true;
  #version = 0;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  async get(key: string, frame?: (record: EntryRecord) => Framing): Promise<Hit | Miss> {
    const entry = this.#lookUp(key);
    if ('found' in entry) return entry;
    const { record, body } = entry;
    const framing = frame?.(record);
    const bytes =
      framing === undefined ? body : Buffer.concat([framing.prologue, body, framing.epilogue]);
    this.unreleased += 1;
    const content = new MemoryContent(bytes, () => {
      this.unreleased -= 1;
    });
    return { found: true, record, content };
  }

  async find(key: string): Promise<EntryRecord | Miss> {
    const entry = this.#lookUp(key);
    return 'found' in entry ? entry : entry.record;
  }

  async put(key: string, meta: EntryMeta, source: BodySource): Promise<Stored> {
    this.#requireOpen();
    const pieces: Buffer[] = [];
    if (Buffer.isBuffer(source)) pieces.push(source);
    else for await (const piece of source) pieces.push(Buffer.from(piece));
    this.#requireOpen();
    const body = Buffer.concat(pieces);
    const created = 'found' in this.#lookUp(key);
    this.#version += 1;
    const record: EntryRecord = {
      ...meta,
      version: this.#version,
      storedAtMs: this.#now(),
      staleWhileRevalidateUntilMs: 0,
      staleIfErrorUntilMs: 0,
      pointer: { segment: 0, offset: 0 },
      plainBytes: body.length,
      storedBytes: body.length,
      checksums: Buffer.alloc(0),
      etag: null,
      contentEncoding: null,
      tags: [],
      costMs: 0,
    };
    this.#entries.set(key, { record, body });
    this.#purged.delete(key);
    return { version: this.#version, created, plainBytes: body.length };
  }

  async delete(key: string): Promise<boolean> {
    const wasThere = !('found' in this.#lookUp(key));
    this.#entries.delete(key);
    return wasThere;
  }

  async deletePrefix(prefix: string): Promise<number> {
    this.#requireOpen();
    let deleted = 0;
    for (const key of [...this.#entries.keys()]) {
      if (!key.startsWith(prefix)) continue;
      if (!('found' in this.#lookUp(key))) deleted += 1;
      this.#entries.delete(key);
      this.#purged.add(key);
    }
    return deleted;
  }

  async clear(): Promise<void> {
    await this.deletePrefix('');
  }

  async count(): Promise<number> {
    this.#requireOpen();
    return this.#entries.size;
  }

  async checkWritable(): Promise<void> {
    this.#requireOpen();
  }

  async close(): Promise<void> {
    this.#isOpen = false;
  }

  async open(): Promise<void> {
    this.#isOpen = true;
  }

  #requireOpen(): void {
    if (!this.#isOpen) throw new BigCacheError('STORE_CLOSED');
  }

  #lookUp(key: string): Entry | Miss {
    this.#requireOpen();
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      return { found: false, reason: this.#purged.has(key) ? 'purged' : 'never-seen' };
    }
    const { expiresAtMs } = entry.record;
    const isExpired = expiresAtMs !== 0 && expiresAtMs <= this.#now();
    return isExpired ? { found: false, reason: 'expired' } : entry;
  }
}
