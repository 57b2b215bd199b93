/**
 * Values out of bodies from strangers, read so that nothing is changed on the way: integers of any
 * size, names that come twice, bytes. Two readers make them, of JSON and of msgpack.
 */
import { BigCacheError } from '../../protocol/errors.ts';

/** In place of a value whose name came twice: readers differ about which of the two counts. */
export const TWICE = Symbol('twice');

/**
 * Integers are bigints; every other number is a `number`. REQUIRES: whoever uses a text or bytes checks what
 * it may hold.
 */
export type Exact =
  | string
  | boolean
  | null
  | bigint
  | number
  | Buffer
  | typeof TWICE
  | readonly Exact[]
  | Members;

export type Members = ReadonlyMap<string, Exact>;

/** A body has at most this many values, so that it cannot be made to take many times its own bytes. */
export const VALUES_MAX = 65_536;
/** No body that is read so nests deeper than object, items, item, tags. */
export const DEPTH_MAX = 8;

/** Counts the values of one body. */
export class ValueBudget {
  #left = VALUES_MAX;

  /** Throws BODY_INVALID. */
  take(depth: number): void {
    this.#left -= 1;
    if (this.#left < 0) throw invalid(`The body has more than ${VALUES_MAX} values.`);
    if (depth > DEPTH_MAX) throw invalid(`The body nests at most ${DEPTH_MAX} levels deep here.`);
  }
}

export function setOnce(members: Map<string, Exact>, name: string, value: Exact): void {
  members.set(name, members.has(name) ? TWICE : value);
}

export function isMembers(value: Exact | undefined): value is Members {
  return value instanceof Map;
}

export function invalid(detail: string): BigCacheError {
  return new BigCacheError('BODY_INVALID', detail);
}
