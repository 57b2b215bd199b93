/** The strict reading of JSON (RFC 8259) into exact values. Runs in workers. */
import { isUtf8 } from 'node:buffer';
import { createScanner, type JSONScanner } from 'jsonc-parser';
import { expect, next, Token } from '../json/members.ts';
import { type Exact, invalid, type Members, setOnce, ValueBudget } from './values.ts';

const INTEGER = /^-?\d+$/;
/** Longer integers are out of every range here, and would take long to convert. */
const INTEGER_LENGTH_MAX = 32;

class JsonReader {
  readonly #scanner: JSONScanner;
  readonly #budget = new ValueBudget();

  /** Throws BODY_INVALID for what is no UTF-8. */
  constructor(body: Buffer) {
    if (!isUtf8(body)) throw invalid('The body is not valid UTF-8.');
    this.#scanner = createScanner(body.toString(), false);
  }

  next(): number {
    return next(this.#scanner);
  }

  get text(): string {
    return this.#scanner.getTokenValue();
  }

  /** The value that begins with `token`. */
  value(token: number, depth: number): Exact {
    this.#budget.take(depth);
    if (token === Token.string) return this.text;
    if (token === Token.number) return numberOf(this.text);
    if (token === Token.true || token === Token.false) return token === Token.true;
    if (token === Token.null) return null;
    if (token === Token.openBrace) return this.members(depth);
    if (token !== Token.openBracket) throw invalid('The body is not valid JSON.');
    const elements: Exact[] = [];
    let element = this.next();
    while (element !== Token.closeBracket) {
      elements.push(this.value(element, depth + 1));
      element = this.#after(Token.closeBracket);
    }
    return elements;
  }

  /** The members of an object whose brace has been read. */
  members(depth: number): Members {
    const members = new Map<string, Exact>();
    let token = this.next();
    while (token !== Token.closeBrace) {
      const name = this.name(token);
      setOnce(members, name, this.value(this.next(), depth + 1));
      token = this.#after(Token.closeBrace);
    }
    return members;
  }

  /** The name of a member that begins with `token`, and its colon. */
  name(token: number): string {
    expect(token, Token.string);
    const name = this.text;
    expect(this.next(), Token.colon);
    return name;
  }

  /** The token after a value: `end`, or the begin of the next one behind a comma. */
  #after(end: number): number {
    const token = this.next();
    if (token === end) return token;
    expect(token, Token.comma);
    const following = this.next();
    if (following === end) throw invalid('The body is not valid JSON.');
    return following;
  }

  /** The elements of an array that is no longer than that. */
  elements(elementsMax: number): Exact[] {
    if (this.next() !== Token.openBracket) throw invalid('"items" is an array.');
    const elements: Exact[] = [];
    let token = this.next();
    while (token !== Token.closeBracket) {
      if (elements.length >= elementsMax) throw invalid(`There are at most ${elementsMax} items.`);
      elements.push(this.value(token, 2));
      token = this.#after(Token.closeBracket);
    }
    return elements;
  }

  end(): void {
    expect(this.next(), Token.end);
  }
}

function numberOf(text: string): bigint | number {
  const isInteger = text.length <= INTEGER_LENGTH_MAX && INTEGER.test(text);
  return isInteger ? BigInt(text) : Number(text);
}

/** The members of the object that `body` consists of. Throws BODY_INVALID. */
export function jsonMembers(body: Buffer): Members {
  const reader = new JsonReader(body);
  if (reader.next() !== Token.openBrace) throw invalid('The body must be a JSON object.');
  const members = reader.members(0);
  reader.end();
  return members;
}

/** The elements of `{"items": [...]}`, which has no other member. Throws BODY_INVALID. */
export function jsonItems(body: Buffer, itemsMax: number): readonly Exact[] {
  const reader = new JsonReader(body);
  if (reader.next() !== Token.openBrace) throw invalid('The body must be a JSON object.');
  if (reader.name(reader.next()) !== 'items') throw invalid('The body is {"items": [...]}.');
  const items = reader.elements(itemsMax);
  if (reader.next() !== Token.closeBrace) throw invalid('The body is {"items": [...]}.');
  reader.end();
  return items;
}
