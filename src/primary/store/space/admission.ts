/**
 * Who may take room: grants of segments wait here, in order, until the reclaimer has made room for
 * them. Run by the primary.
 */
import { BigCacheError } from '../../../protocol/errors.ts';
import type { Space } from './space.ts';

/** A grant waits this long for room, then its write is refused with DISK_FULL. */
const WAIT_MAX_MS = 5000;

export interface AdmissionOptions {
  readonly space: Pick<Space, 'missingFor' | 'missingInQuota' | 'isHopeless'>;
  /** Kept free beyond every grant, for the copies that reclaiming makes. */
  readonly headroomBytes: number;
  /** Told when a grant has to wait for room. */
  readonly onWaiting: () => void;
}

interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
  readonly refuse: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #waiting: Waiter[] = [];
  /** Admitted, and not yet granted: the space does not count it by itself. */
  #admittedBytes = 0;
  /** Why nothing is admitted any more. */
  #closedBy: Error | undefined;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Bytes that grants are waiting for. */
  get waitingBytes(): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Bytes that must be given back for all who wait, and the headroom; 0 or less when none. */
  get missingBytes(): number {
    return this.#missingFor(this.waitingBytes);
  }

  /** The same, as far as `--max-size` is concerned: the disk may lack more. */
  get missingInQuotaBytes(): number {
    return this.#options.space.missingInQuota(this.#needed(this.waitingBytes));
  }

  /**
   * Runs `grant` once there is room for `bytes`. Rejects with DISK_FULL when there was none in time,
   * with the error of `close` after that, or with what `grant` rejects with.
   */
  async admit<T>(bytes: number, grant: () => Promise<T>): Promise<T> {
    if (this.#closedBy !== undefined) throw this.#closedBy;
    if (this.#options.space.isHopeless(bytes)) throw new BigCacheError('DISK_FULL');
    if (this.#waiting.length > 0 || this.#missingFor(bytes) > 0) await this.#wait(bytes);
    else this.#admittedBytes += bytes;
    try {
      return await grant();
    } finally {
      this.#admittedBytes -= bytes;
    }
  }

  /** Admits who can be; to be called whenever room was given back or measured. */
  roomMayHaveCome(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (this.#missingFor(first.bytes) > 0) return;
      this.#leave(first);
      first.admit();
    }
  }

  /** Refuses all who wait, and all who come later. */
  close(error: Error): void {
    this.#closedBy ??= error;
    for (const waiter of [...this.#waiting]) {
      this.#leave(waiter);
      waiter.refuse(error);
    }
  }

  #missingFor(bytes: number): number {
    return this.#options.space.missingFor(this.#needed(bytes));
  }

  #needed(bytes: number): number {
    return this.#admittedBytes + bytes + this.#options.headroomBytes;
  }

  /** Resolves when the bytes are admitted, and counted as such. */
  #wait(bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const admit = (): void => {
        this.#admittedBytes += bytes;
        resolve();
      };
      const timer = setTimeout(() => {
        this.#leave(waiter);
        reject(new BigCacheError('DISK_FULL'));
      }, WAIT_MAX_MS);
      const waiter: Waiter = { bytes, admit, refuse: reject, timer };
      this.#waiting.push(waiter);
      this.#options.onWaiting();
    });
  }

  #leave(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    const at = this.#waiting.indexOf(waiter);
    if (at >= 0) this.#waiting.splice(at, 1);
  }
}
