/**
 * One round of asking workers to drop what they hold: over when each has said so, or has ended.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BigCacheError } from '../../protocol/errors.ts';

/** A worker, as far as it holds records. */
export interface RecordHolder {
  /** Its bit among those of all workers. */
  readonly bit: number;
  /** Asks it to drop all records of these buckets, or all; resolves when it has. Rejects when its channel ends. */
  drop(buckets: readonly number[] | undefined): Promise<void>;
  /** Ends it with SIGKILL; `why` goes to the log. */
  kill(why: string): void;
  /** Resolves when its process has ended. */
  readonly exited: Promise<void>;
}

export interface HandshakeLimits {
  /** A worker that does not answer for so long is killed. */
  readonly answerMs: number;
  /** A process that was killed is given this long to end; it may be stuck in the kernel. */
  readonly exitMs: number;
}

export const HANDSHAKE_LIMITS: HandshakeLimits = { answerMs: 2000, exitMs: 2000 };

const WHY = 'it does not drop what it holds of changed entries';

/** Told of a worker that neither answered nor ended, and of what it was asked to drop. */
export type OnFailed = (worker: RecordHolder, buckets: readonly number[] | undefined) => void;

export class Handshake {
  /** Resolves when nobody holds any of it; rejects with DEADLINE_EXCEEDED where that is not known. */
  readonly done: Promise<void>;
  readonly #asked = new Map<RecordHolder, number[] | undefined>();
  readonly #limits: HandshakeLimits;
  readonly #onFailed: OnFailed;
  #settle: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  constructor(limits: HandshakeLimits, onFailed: OnFailed) {
    this.#limits = limits;
    this.#onFailed = onFailed;
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever waits for it is told; nobody may be left by then.
    this.done.catch(() => undefined);
  }

  add(worker: RecordHolder, bucket: number): void {
    const buckets = this.#asked.get(worker);
    if (buckets === undefined) this.#asked.set(worker, [bucket]);
    else buckets.push(bucket);
  }

  /** Asks the worker to drop everything. */
  addAll(worker: RecordHolder): void {
    this.#asked.set(worker, undefined);
  }

  begin(): void {
    const asked = [...this.#asked].map(([worker, buckets]) => this.#ask(worker, buckets));
    Promise.all(asked).then(
      () => this.#settle?.resolve(),
      (error: unknown) => this.#settle?.reject(error),
    );
  }

  async #ask(worker: RecordHolder, buckets: readonly number[] | undefined): Promise<void> {
    const dropped = worker.drop(buckets).then(
      () => true,
      () => false,
    );
    if (await isTrueWithin(dropped, this.#limits.answerMs)) return;
    worker.kill(WHY);
    // Its channel may have ended long before it: only the end of the process is one.
    const ended = worker.exited.then(() => true);
    if (await isTrueWithin(ended, this.#limits.exitMs)) return;
    this.#onFailed(worker, buckets);
    throw new BigCacheError('DEADLINE_EXCEEDED');
  }
}

/** What `outcome` resolves with; false where it does not in time. */
async function isTrueWithin(outcome: Promise<boolean>, withinMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      // After a pause of this process the answer may be there and unread.
      void nextTurn()
        .then(() => nextTurn())
        .then(() => resolve(false));
    }, withinMs);
  });
  try {
    return await Promise.race([outcome, late]);
  } finally {
    clearTimeout(timer);
  }
}
