/**
 * The segments of workers, as their sessions ask for them: granted when there is room, and sealed now or,
 * while the index takes no writes, when it does again. Owned by the primary; it outlives the opened store.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BigCacheError } from '../../protocol/errors.ts';
import { segmentFileName } from '../../segments/format.ts';
import type { EntryStore } from './entry-store.ts';
import type { OpenStore } from './open-store.ts';

export interface WriterSegmentsOptions {
  readonly segmentsPath: string;
  /** The open store. Throws STORE_CLOSED or STORE_FAILED while there is none. */
  readonly opened: () => Pick<OpenStore, 'entries' | 'admission'>;
}

export class WriterSegments {
  readonly #options: WriterSegmentsOptions;
  /** Whether the workers are sealing for a close: until it ends, none is granted a segment. */
  #isSealing = false;
  /** Writers that died while their segments could not be sealed. */
  readonly #goneWriters = new Set<number>();
  /** Seals that could not be written: segment -> size of its file. */
  readonly #unsealed = new Map<number, number>();

  constructor(options: WriterSegmentsOptions) {
    this.#options = options;
  }

  /** See Storage. */
  async grant(writer: number, bytes: number): Promise<number> {
    if (this.#isSealing) throw new BigCacheError('STORE_CLOSED');
    const { admission, entries } = this.#options.opened();
    return await admission.admit(bytes, () => entries.grantSegment(writer, bytes));
  }

  /** See Storage. */
  async extend(writer: number, segment: number, bytes: number): Promise<void> {
    const { admission, entries } = this.#options.opened();
    const more = bytes - (entries.segments.get(segment)?.fileBytes ?? 0);
    if (more <= 0) return;
    await admission.admit(more, () => entries.extendSegment(writer, segment, bytes));
  }

  /** Seals a segment of `writer`; now, or when the index takes writes again. */
  async seal(writer: number, segment: number, fileBytes: number): Promise<void> {
    try {
      await this.#entries.sealSegment(writer, segment, fileBytes);
    } catch (error) {
      if (!(error instanceof BigCacheError)) throw error;
      this.#unsealed.set(segment, fileBytes);
    }
  }

  /** Seals what a worker left open when it died; now, or when the index takes writes again. */
  async sealAllOf(writer: number): Promise<void> {
    try {
      const entries = this.#entries;
      const sealed = await entries.sealSegmentsOf(writer);
      const sizes = await Promise.all(sealed.map((id) => this.#sizeOf(id)));
      await entries.settleSegments(new Map(sealed.map((id, at) => [id, sizes[at] ?? 0])));
    } catch (error) {
      if (!(error instanceof BigCacheError)) throw error;
      this.#goneWriters.add(writer);
    }
  }

  /** Grants nothing while `seal` has the workers seal what they have open. */
  async whileSealing(seal: () => Promise<void>): Promise<void> {
    this.#isSealing = true;
    try {
      await seal();
    } finally {
      this.#isSealing = false;
    }
  }

  /** Writers that are gone, and whose segments are still open in the index. */
  get goneWriters(): readonly number[] {
    return [...this.#goneWriters];
  }

  /** The opening of the index has sealed what these left. */
  forgetWriters(writers: readonly number[]): void {
    for (const writer of writers) this.#goneWriters.delete(writer);
  }

  /** Nothing that is open in the index has a writer: its opening seals all of it. */
  forgetAll(): void {
    this.#goneWriters.clear();
    this.#unsealed.clear();
  }

  /** Writes down the seals that were missed, by an index that was opened again. */
  async settle(entries: EntryStore): Promise<void> {
    const settled = new Map(this.#unsealed);
    await entries.settleSegments(settled);
    for (const [segment, fileBytes] of settled) {
      if (this.#unsealed.get(segment) === fileBytes) this.#unsealed.delete(segment);
    }
  }

  /** Seals of which was heard while the index was being opened. */
  async settleMissed(): Promise<void> {
    const writers = this.goneWriters;
    this.#goneWriters.clear();
    for (const writer of writers) await this.sealAllOf(writer);
    try {
      await this.settle(this.#entries);
    } catch (error) {
      // The index has failed again, and is healed again.
      if (!(error instanceof BigCacheError)) throw error;
    }
  }

  get #entries(): EntryStore {
    return this.#options.opened().entries;
  }

  async #sizeOf(segment: number): Promise<number> {
    const path = join(this.#options.segmentsPath, segmentFileName(segment));
    const found = await stat(path).catch(() => undefined);
    return found?.size ?? 0;
  }
}
