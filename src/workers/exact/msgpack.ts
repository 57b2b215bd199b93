/**
 * The strict reading of msgpack into exact values, with limits. msgpackr is for messages of our own: it makes
 * objects of millions of empty arrays, mends text that is no UTF-8, and takes the last of two members.
 */
import { isUtf8 } from 'node:buffer';
import { type Exact, invalid, isMembers, type Members, setOnce, ValueBudget } from './values.ts';

const broken = () => invalid('The body is not valid msgpack, or has types that JSON has not.');

class MsgpackReader {
  readonly #bytes: Buffer;
  readonly #budget = new ValueBudget();
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): Exact {
    this.#budget.take(depth);
    const head = this.#uint(1);
    if (head <= 0x7f) return BigInt(head);
    if (head >= 0xe0) return BigInt(head - 0x100);
    if (head <= 0x8f) return this.#members(head & 0x0f, depth);
    if (head <= 0x9f) return this.#elements(head & 0x0f, depth);
    if (head <= 0xbf) return this.#text(head & 0x1f);
    return this.#long(head, depth);
  }

  /** What has its length, or its number, behind the head. */
  #long(head: number, depth: number): Exact {
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return head === 0xc3;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#uint(1 << (head - 0xc4)));
      case 0xca:
        return exactNumber(this.#take(4).readFloatBE());
      case 0xcb:
        return exactNumber(this.#take(8).readDoubleBE());
      case 0xcc:
      case 0xcd:
      case 0xce:
        return BigInt(this.#uint(1 << (head - 0xcc)));
      case 0xcf:
        return this.#take(8).readBigUInt64BE();
      case 0xd0:
      case 0xd1:
      case 0xd2:
        return BigInt(this.#take(1 << (head - 0xd0)).readIntBE(0, 1 << (head - 0xd0)));
      case 0xd3:
        return this.#take(8).readBigInt64BE();
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#uint(1 << (head - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#elements(this.#uint(head === 0xdc ? 2 : 4), depth);
      case 0xde:
      case 0xdf:
        return this.#members(this.#uint(head === 0xde ? 2 : 4), depth);
      default:
        throw broken();
    }
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw broken();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  #uint(length: number): number {
    return this.#take(length).readUIntBE(0, length);
  }

  #text(length: number): string {
    const bytes = this.#take(length);
    if (!isUtf8(bytes)) throw invalid('A text of the body is not valid UTF-8.');
    return bytes.toString();
  }

  /** Nothing is made of a length before its values are there. */
  #elements(length: number, depth: number): readonly Exact[] {
    const elements: Exact[] = [];
    for (let left = length; left > 0; left--) elements.push(this.value(depth + 1));
    return elements;
  }

  #members(length: number, depth: number): Members {
    const members = new Map<string, Exact>();
    for (let left = length; left > 0; left--) {
      const name = this.value(depth + 1);
      if (typeof name !== 'string') throw broken();
      setOnce(members, name, this.value(depth + 1));
    }
    return members;
  }
}

/** Writers whose language has one kind of number send integers as floats. */
function exactNumber(float: number): bigint | number {
  return Number.isSafeInteger(float) ? BigInt(float) : float;
}

/** The elements of `{items: [...]}`, which has no other member. Bytes alias `body`. Throws BODY_INVALID. */
export function msgpackItems(body: Buffer, itemsMax: number): readonly Exact[] {
  const reader = new MsgpackReader(body);
  const whole = reader.value(0);
  const items = isMembers(whole) && whole.size === 1 ? whole.get('items') : undefined;
  if (!reader.isAtEnd || !Array.isArray(items)) throw invalid('The body is {"items": [...]}.');
  if (items.length > itemsMax) throw invalid(`There are at most ${itemsMax} items.`);
  return items;
}
