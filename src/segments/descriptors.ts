/**
 * Open descriptors of segments, counted by their readers: none is closed under a pending read, since
 * a number that is used again would read another file.
 */
import { closeSync, open } from 'node:fs';
import { join } from 'node:path';
import { isOutOfDescriptors } from '../protocol/descriptor-faults.ts';
import { SegmentDamage, toStoreError } from './faults.ts';
import { segmentFileName } from './format.ts';

/** A descriptor on loan; give it back with `release`, once. */
export interface Descriptor {
  readonly fd: number;
  release(): void;
}

class SharedDescriptor implements Descriptor {
  readonly fd: number;
  #readers = 0;
  #isRetired = false;

  constructor(fd: number) {
    this.fd = fd;
  }

  lend(): Descriptor {
    this.#readers += 1;
    return this;
  }

  release(): void {
    this.#readers -= 1;
    this.#closeIfDone();
  }

  /** No further loans; the descriptor is closed when the last reader is done. */
  retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (!this.#isRetired || this.#readers > 0) return;
    try {
      closeSync(this.fd);
    } catch {
      // A failing close leaves nothing to be done: the number is free in every case.
    }
  }
}

export class Descriptors {
  readonly #directory: string;
  readonly #openMax: number;
  /** In order of last use, the longest unused first. */
  readonly #open = new Map<number, SharedDescriptor>();
  readonly #opening = new Map<number, Promise<SharedDescriptor>>();
  readonly #dropped = new Set<number>();

  constructor(directory: string, openMax = 256) {
    this.#directory = directory;
    this.#openMax = openMax;
  }

  /** The descriptor of a segment if it is open already. */
  lendOpen(segment: number): Descriptor | undefined {
    const shared = this.#open.get(segment);
    if (shared === undefined) return undefined;
    if (this.#open.size > 1) {
      this.#open.delete(segment);
      this.#open.set(segment, shared);
    }
    return shared.lend();
  }

  /** The descriptor of a segment. Rejects with SegmentDamage when there is no such file. */
  async lend(segment: number): Promise<Descriptor> {
    const open = this.lendOpen(segment);
    if (open !== undefined) return open;
    let opening = this.#opening.get(segment);
    if (opening === undefined) {
      opening = this.#openFile(segment).finally(() => {
        this.#opening.delete(segment);
        this.#dropped.delete(segment);
      });
      this.#opening.set(segment, opening);
    }
    return (await opening).lend();
  }

  /** Forgets a segment whose file is being removed, so that its space is freed. */
  drop(segment: number): void {
    this.#open.get(segment)?.retire();
    this.#open.delete(segment);
    if (this.#opening.has(segment)) this.#dropped.add(segment);
  }

  /** Retires every descriptor; those on loan close when they come back. */
  closeAll(): void {
    for (const shared of this.#open.values()) shared.retire();
    this.#open.clear();
  }

  async #openFile(segment: number): Promise<SharedDescriptor> {
    const shared = new SharedDescriptor(await this.#openWithRoom(this.#pathOf(segment)));
    if (this.#dropped.has(segment)) {
      // Its first readers still get it; it closes behind them.
      setImmediate(() => shared.retire());
      return shared;
    }
    this.#open.set(segment, shared);
    this.#evict();
    return shared;
  }

  /** Where the process has no descriptor left, those that are only kept open for later give way. */
  async #openWithRoom(path: string): Promise<number> {
    try {
      return await openForReading(path);
    } catch (error) {
      if (!isOutOfDescriptors(error)) throw toFault(error);
      this.closeAll();
    }
    return await openForReading(path).catch((error: unknown) => {
      throw toFault(error);
    });
  }

  #evict(): void {
    for (const [segment, shared] of this.#open) {
      if (this.#open.size <= this.#openMax) return;
      this.#open.delete(segment);
      shared.retire();
    }
  }

  #pathOf(segment: number): string {
    return join(this.#directory, segmentFileName(segment));
  }
}

function toFault(error: unknown): Error {
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  return isMissing ? new SegmentDamage('the segment is not there') : toStoreError(error);
}

function openForReading(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, 'r', (error, fd) => {
      if (error === null) resolve(fd);
      else reject(error);
    });
  });
}
