/**
 * Leases as a MemoryStore keeps them, and as the tests of the real ones are judged by: a list of all that
 * has happened, which is searched for each answer.
 */
import { encodeClaim, encodeToken, TOKEN_SEAL_BYTES } from '../../../src/protocol/lease-token.ts';

const NO_SEAL = Buffer.alloc(TOKEN_SEAL_BYTES);

interface Happening {
  readonly at: number;
  concerns(key: string): boolean;
}

interface Waiting {
  readonly leaseMs: number;
  resolve(token: string | undefined | 'entry'): void;
}

interface Held {
  token: string;
  endsAtMs: number;
  readonly waiting: Waiting[];
}

/** What a caller gets: the lease, a place in line, or neither. */
export interface MemoryAcquired {
  readonly token: string | undefined;
  readonly retryAfterMs: number;
  readonly outcome: Promise<string | undefined | 'entry'> | undefined;
  leave(): void;
}

export class MemoryLeases {
  readonly #now: () => number;
  readonly #happenings: Happening[] = [];
  readonly #tokens = new Map<string, { key: string; at: number }>();
  readonly #held = new Map<string, Held>();
  #at = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Something was written, deleted or purged. */
  happened(concerns: (key: string) => boolean, written?: string): void {
    this.#at += 1;
    this.#happenings.push({ at: this.#at, concerns });
    for (const [key, held] of [...this.#held]) {
      if (key === written) {
        this.#held.delete(key);
        for (const { resolve } of held.waiting) resolve('entry');
      } else if (concerns(key)) this.#handOver(key, held);
    }
  }

  isGood(key: string, token: string): boolean {
    const given = this.#tokens.get(token);
    if (given === undefined || given.key !== key) return false;
    return !this.#happenings.some(({ at, concerns }) => at > given.at && concerns(key));
  }

  acquire(key: string, leaseMs: number, mayWait: boolean): MemoryAcquired {
    this.expire();
    const held = this.#held.get(key);
    const none = { outcome: undefined, leave: () => undefined };
    if (held === undefined) {
      const token = this.#give(key);
      this.#held.set(key, { token, endsAtMs: this.#now() + leaseMs, waiting: [] });
      this.#timer ??= setInterval(() => this.expire(), 10).unref();
      return { token, retryAfterMs: 0, ...none };
    }
    const retryAfterMs = held.endsAtMs - this.#now();
    if (!mayWait) return { token: undefined, retryAfterMs, ...none };
    let leave = (): void => undefined;
    const outcome = new Promise<string | undefined | 'entry'>((resolve) => {
      const waiting = { leaseMs, resolve };
      held.waiting.push(waiting);
      leave = () => {
        const at = held.waiting.indexOf(waiting);
        if (at >= 0) held.waiting.splice(at, 1);
        resolve(undefined);
      };
    });
    return { token: undefined, retryAfterMs, outcome, leave };
  }

  release(key: string, token: string): boolean {
    this.expire();
    const held = this.#held.get(key);
    if (held?.token !== token) return false;
    this.#handOver(key, held);
    return true;
  }

  expire(): void {
    for (const [key, held] of [...this.#held]) {
      if (this.#now() >= held.endsAtMs) this.#handOver(key, held);
    }
    if (this.#held.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #handOver(key: string, held: Held): void {
    const next = held.waiting.shift();
    if (next === undefined) {
      this.#held.delete(key);
      return;
    }
    held.token = this.#give(key);
    held.endsAtMs = this.#now() + next.leaseMs;
    next.resolve(held.token);
  }

  #give(key: string): string {
    // Of the form of a true one, since the time in it says what an entry has cost.
    const claim = { version: this.#at, givenAtMs: this.#now() };
    const token = encodeToken(encodeClaim(claim, this.#tokens.size + 1), NO_SEAL);
    this.#tokens.set(token, { key, at: this.#at });
    return token;
  }
}
