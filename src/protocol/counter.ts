/**
 * Counters: integers of 64 bits with a sign, and what is asked of them. Both processes use it; they cross the
 * channel as decimal text, since a number holds no more than 53 bits.
 */

export const INTEGER_MIN = -(2n ** 63n);
export const INTEGER_MAX = 2n ** 63n - 1n;
/** `-9223372036854775808` has no more. */
export const INTEGER_LENGTH_MAX = 20;

/** As JSON writes an integer. */
const INTEGER = /^-?(?:0|[1-9]\d*)$/;

/** The integer that the text is, or undefined for what is none of 64 bits. */
export function integerOf(text: string): bigint | undefined {
  if (text.length > INTEGER_LENGTH_MAX || !INTEGER.test(text)) return undefined;
  const integer = BigInt(text);
  return isInRange(integer) ? integer : undefined;
}

export function isInRange(integer: bigint): boolean {
  return integer >= INTEGER_MIN && integer <= INTEGER_MAX;
}

/** What is to be done to a counter. */
export interface CounterOrder {
  readonly by: bigint;
  /** What a counter that is not there begins with, before `by` is added. */
  readonly initial: bigint;
  /** How long one lives that is not there, in milliseconds; 0 for ever. One that is there keeps its time. */
  readonly ttlMs: number;
}

/** An entry whose body a worker has read, since it is in a segment: an integer. */
export interface SeenInteger {
  readonly version: number;
  readonly value: bigint;
}

/** What an increment came to: the new value, or the entry whose body has to be read first. */
export type Incremented =
  | { readonly value: bigint }
  | { readonly value: undefined; readonly version: number };

/** As it crosses the channel: the value as text, or a version. */
export function incrementedToWire(done: Incremented): string | number {
  return done.value === undefined ? done.version : String(done.value);
}

/** What is behind it; undefined for anything else. */
export function incrementedFromWire(wire: unknown): Incremented | undefined {
  if (typeof wire === 'number') return { value: undefined, version: wire };
  const value = typeof wire === 'string' ? integerOf(wire) : undefined;
  return value === undefined ? undefined : { value };
}
