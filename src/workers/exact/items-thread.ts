/** The reading of a long batch, in a piscina thread of the worker. */
import { type Refusal, refusalFrom } from '../thread-pool.ts';
import { jsonItems } from './json.ts';
import { type Exact, isMembers, TWICE } from './values.ts';

export interface ItemsRequest {
  readonly bytes: ArrayBuffer;
  readonly itemsMax: number;
}

/** A value as it crosses from the thread: a symbol cannot, so `undefined`, which JSON has not, stands for TWICE. */
export type SentExact =
  | Exclude<Exact, symbol | readonly Exact[] | ReadonlyMap<string, Exact>>
  | SentTree;
type SentTree = undefined | readonly SentExact[] | ReadonlyMap<string, SentExact>;

/** What it was read as, or why it was refused. */
export interface ItemsResult {
  readonly items?: readonly SentExact[];
  readonly refusal?: Refusal;
}

function toSent(value: Exact): SentExact {
  if (value === TWICE) return undefined;
  if (isMembers(value)) return new Map([...value].map(([name, member]) => [name, toSent(member)]));
  return Array.isArray(value) ? value.map(toSent) : (value as SentExact);
}

/** The value that was sent. */
export function fromSent(value: SentExact): Exact {
  if (value === undefined) return TWICE;
  if (value instanceof Map) {
    return new Map([...value].map(([name, member]) => [name, fromSent(member)]));
  }
  return Array.isArray(value) ? value.map(fromSent) : (value as Exact);
}

/** The task. */
export default function readItems({ bytes, itemsMax }: ItemsRequest): ItemsResult {
  try {
    return { items: jsonItems(Buffer.from(bytes), itemsMax).map(toSent) };
  } catch (error) {
    return { refusal: refusalFrom(error) };
  }
}
