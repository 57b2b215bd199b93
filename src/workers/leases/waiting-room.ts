/**
 * The requests of this worker that wait for somebody else to make an entry. The primary knows the order of
 * all waiters, and tells a worker once when an entry has come, however many wait here.
 */
import { SettledEntry } from './settled-entry.ts';

/** How a wait ended: with the lease, with the entry, or with neither. */
export type Waited =
  | { readonly how: 'granted'; readonly token: string }
  | { readonly how: 'settled'; readonly entry: SettledEntry }
  | { readonly how: 'over' };

/** One request that may wait. Its number is told to the primary. */
export interface Wait {
  readonly id: number;
  readonly outcome: Promise<Waited>;
  /**
   * The primary has put it in line: from now on it may be settled. REQUIRES: noted while the answer that says
   * so is being decoded, before what comes after it.
   */
  inLine(): void;
  /** Gives up waiting after this time; called once the primary has put it in line. */
  endAfter(waitMs: number): void;
  /** Ends the wait at once, with neither: the client has gone. */
  leave(): void;
  /** The same where the primary has not put it in line, and need not hear of it. */
  forget(): void;
}

interface Waiter {
  readonly key: string;
  readonly resolve: (waited: Waited) => void;
  timer: NodeJS.Timeout | undefined;
  isInLine: boolean;
}

const OVER: Waited = { how: 'over' };
const ID_MAX = 2 ** 32 - 1;

export class WaitingRoom {
  readonly #waiters = new Map<number, Waiter>();
  readonly #byKey = new Map<string, Set<number>>();
  readonly #onLeave: (key: string, id: number) => void;
  #lastId = 0;
  #isClosed = false;

  /** `onLeave` is told of each who leaves by itself, so that the primary takes it out of the line. */
  constructor(onLeave: (key: string, id: number) => void) {
    this.#onLeave = onLeave;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Makes room for one. REQUIRES: begun before the primary is told, which may settle it at once. */
  begin(key: string): Wait {
    const id = this.#nextId();
    const outcome = new Promise<Waited>((resolve) => {
      if (this.#isClosed) {
        resolve(OVER);
        return;
      }
      this.#waiters.set(id, { key, resolve, timer: undefined, isInLine: false });
      const sameKey = this.#byKey.get(key);
      if (sameKey === undefined) this.#byKey.set(key, new Set([id]));
      else sameKey.add(id);
    });
    return {
      id,
      outcome,
      inLine: () => {
        const waiter = this.#waiters.get(id);
        if (waiter !== undefined) waiter.isInLine = true;
      },
      endAfter: (waitMs) => {
        const waiter = this.#waiters.get(id);
        if (waiter !== undefined) waiter.timer = setTimeout(() => this.#leave(id), waitMs);
      },
      leave: () => this.#leave(id),
      forget: () => void this.#end(id, OVER),
    };
  }

  /** The primary has given the lease to a waiter; false where it has left meanwhile. */
  granted(id: number, token: string): boolean {
    return this.#end(id, { how: 'granted', token });
  }

  /**
   * The entry of a key has come; without a record, nothing more will. It is for those in line: who is not
   * has asked later, and gets an answer of its own.
   */
  settled(key: string, record: Buffer | null): void {
    const inLine = (id: number): boolean => this.#waiters.get(id)?.isInLine === true;
    const ids = [...(this.#byKey.get(key) ?? [])].filter(inLine);
    if (ids.length === 0) return;
    const waited: Waited =
      record === null ? OVER : { how: 'settled', entry: new SettledEntry(record, ids.length) };
    for (const id of ids) this.#end(id, waited);
  }

  /** Ends all waits, and those that are still begun: the worker stops. */
  close(): void {
    this.#isClosed = true;
    for (const id of [...this.#waiters.keys()]) this.#leave(id);
  }

  #leave(id: number): void {
    const key = this.#waiters.get(id)?.key;
    if (this.#end(id, OVER) && key !== undefined) this.#onLeave(key, id);
  }

  #end(id: number, waited: Waited): boolean {
    const waiter = this.#waiters.get(id);
    if (waiter === undefined) return false;
    clearTimeout(waiter.timer);
    this.#waiters.delete(id);
    const sameKey = this.#byKey.get(waiter.key);
    sameKey?.delete(id);
    if (sameKey?.size === 0) this.#byKey.delete(waiter.key);
    waiter.resolve(waited);
    return true;
  }

  /** 0 stands for who does not wait. */
  #nextId(): number {
    do {
      this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1;
    } while (this.#waiters.has(this.#lastId));
    return this.#lastId;
  }
}
