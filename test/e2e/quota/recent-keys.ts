/**
 * The keys that were written last, each with what is known of it: the last change that was sent, and the
 * last that was acknowledged.
 */

export interface RecentKey {
  readonly key: string;
  /** Changes have numbers that rise over all keys. */
  sent: number;
  acknowledged: number;
  /** Whether the last acknowledged change removed it. */
  isRemoved: boolean;
}

export class RecentKeys {
  readonly #max: number;
  readonly #random: () => number;
  readonly #keys: RecentKey[] = [];
  #count = 0;
  #changes = 0;

  constructor(max: number, random: () => number) {
    this.#max = max;
    this.#random = random;
  }

  /** A new key, which takes the place of the one that is recent no longer. */
  add(): RecentKey {
    const nth = this.#count;
    this.#count += 1;
    const recent = { key: `page/${nth}`, sent: 0, acknowledged: 0, isRemoved: false };
    this.#keys[nth % this.#max] = recent;
    return recent;
  }

  any(): RecentKey | undefined {
    return this.#keys[Math.floor(this.#random() * this.#keys.length)];
  }

  /** Says that a change of the key is sent; answers its number. */
  send(recent: RecentKey): number {
    this.#changes += 1;
    recent.sent = this.#changes;
    return recent.sent;
  }
}

/** Whether a change of the key is under way, so that nobody knows what it holds. */
export function isBusy({ sent, acknowledged }: RecentKey): boolean {
  return sent !== acknowledged;
}
