/**
 * The strict reading of a JSON object's text: where the members that concern an entry lie. Tokens come
 * from jsonc-parser's scanner; the grammar over them is RFC 8259, without comments or trailing commas.
 *
 * The text is the body read as latin1, one character per byte, so offsets are byte offsets. All of
 * JSON's structure is ASCII, and bytes above it are legal in strings only, in either reading.
 */
import { createScanner, type JSONScanner } from 'jsonc-parser';
import { BigCacheError } from '../../protocol/errors.ts';

/** Deeper values are refused: clients that read them back recursively would not survive them. */
export const DEPTH_MAX = 512;

/** A piece of the text: from `start` up to, not including, `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where an entry's members lie. */
export interface MemberSpans {
  readonly value: Span;
  readonly expire: Span | undefined;
  readonly duration: Span | undefined;
}

/** jsonc-parser's SyntaxKind, a const enum there, which one file alone cannot import. */
export const Token = {
  openBrace: 1,
  closeBrace: 2,
  openBracket: 3,
  closeBracket: 4,
  comma: 5,
  colon: 6,
  null: 7,
  true: 8,
  false: 9,
  string: 10,
  number: 11,
  lineBreak: 14,
  space: 15,
  end: 17,
} as const;

const invalid = (): BigCacheError =>
  new BigCacheError('BODY_INVALID', 'The body is not valid JSON.');
const notAnObject = (): BigCacheError =>
  new BigCacheError('BODY_INVALID', 'The body must be a JSON object with a member "value".');

/** The next token that is no white space. Comments are tokens here, and no rule takes them. */
export function next(scanner: JSONScanner): number {
  let token: number = scanner.scan();
  while (token === Token.space || token === Token.lineBreak) token = scanner.scan();
  if (scanner.getTokenError() !== 0) throw invalid();
  return token;
}

export function expect(token: number, wanted: number): void {
  if (token !== wanted) throw invalid();
}

function skipMembers(scanner: JSONScanner, depth: number): void {
  let token = next(scanner);
  if (token === Token.closeBrace) return;
  for (;;) {
    expect(token, Token.string);
    expect(next(scanner), Token.colon);
    skipValue(scanner, next(scanner), depth);
    token = next(scanner);
    if (token === Token.closeBrace) return;
    expect(token, Token.comma);
    token = next(scanner);
  }
}

function skipElements(scanner: JSONScanner, depth: number): void {
  let token = next(scanner);
  if (token === Token.closeBracket) return;
  for (;;) {
    skipValue(scanner, token, depth);
    token = next(scanner);
    if (token === Token.closeBracket) return;
    expect(token, Token.comma);
    token = next(scanner);
  }
}

/** Reads on to the end of the value that begins with `token`. */
function skipValue(scanner: JSONScanner, token: number, depth: number): void {
  if (token >= Token.null && token <= Token.number) return;
  if (depth >= DEPTH_MAX) {
    throw new BigCacheError('BODY_INVALID', `JSON nests at most ${DEPTH_MAX} levels deep here.`);
  }
  if (token === Token.openBrace) skipMembers(scanner, depth + 1);
  else if (token === Token.openBracket) skipElements(scanner, depth + 1);
  else throw invalid();
}

function readMember(scanner: JSONScanner): { name: string; span: Span } {
  const name = scanner.getTokenValue();
  expect(next(scanner), Token.colon);
  const token = next(scanner);
  const start = scanner.getTokenOffset();
  skipValue(scanner, token, 0);
  return { name, span: { start, end: scanner.getPosition() } };
}

/**
 * Finds the members of the object that `text` consists of; unknown ones are ignored, and of two
 * `expire` or `duration` the last counts, as JSON.parse has it.
 *
 * Throws BigCacheError BODY_INVALID: not JSON, not an object, no `value` or two, too deep.
 */
export function findMembers(text: string): MemberSpans {
  const scanner = createScanner(text, false);
  const first = next(scanner);
  if (first !== Token.openBrace) {
    skipValue(scanner, first, 0);
    throw notAnObject();
  }
  let value: Span | undefined;
  let expire: Span | undefined;
  let duration: Span | undefined;
  let token = next(scanner);
  while (token !== Token.closeBrace) {
    expect(token, Token.string);
    const { name, span } = readMember(scanner);
    if (name === 'expire') expire = span;
    else if (name === 'duration') duration = span;
    else if (name === 'value') {
      if (value !== undefined) {
        throw new BigCacheError('BODY_INVALID', 'The body has the member "value" twice.');
      }
      value = span;
    }
    token = next(scanner);
    if (token === Token.closeBrace) break;
    expect(token, Token.comma);
    token = next(scanner);
    if (token === Token.closeBrace) throw invalid();
  }
  expect(next(scanner), Token.end);
  if (value === undefined) throw notAnObject();
  return { value, expire, duration };
}
