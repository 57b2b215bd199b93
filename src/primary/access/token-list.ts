/**
 * The text of a token file -> tokens, checked strictly: who misspells a member must not end with a
 * token that may do more, or less, than was meant. What the text holds is never repeated in an error,
 * since somebody may have put a token there instead of its digest.
 */
import { type ParseError, parse } from 'jsonc-parser';
import { SCOPES, type Scope, TOKENS_MAX, type Token } from '../../protocol/access.ts';
import { isCanonicalPrefix } from '../../protocol/key.ts';

/** What is wrong with a token file, in which entry, and how to mend it. */
export class TokenListError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TokenListError';
  }
}

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const DIGEST = /^[0-9a-f]{64}$/i;
const MEMBERS = ['name', 'sha256', 'scopes', 'keyPrefix'];
/** What an empty password would match. */
const DIGEST_OF_NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const HOW_TO_HASH = 'bigcache token makes one, or: printf %s TOKEN | sha256sum';

/** The tokens in `text`. Throws a TokenListError. */
export function parseTokenList(text: string): Token[] {
  const list = parseJson(text.startsWith('\ufeff') ? text.slice(1) : text);
  if (!Array.isArray(list)) {
    throw new TokenListError('it must be a JSON array of entries, [{"name", "sha256", "scopes"}]');
  }
  if (list.length > TOKENS_MAX) {
    throw new TokenListError(`it has ${list.length} entries; ${TOKENS_MAX} are the most`);
  }
  const tokens = list.map((entry, at) => checkToken(entry, `entry ${at + 1}`));
  refuseTwins(tokens);
  return tokens;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What JSON.parse says would show a piece of the text.
    throw new TokenListError(`it is no JSON${placeOfError(text)}`);
  }
}

function placeOfError(text: string): string {
  const errors: ParseError[] = [];
  parse(text, errors, {
    disallowComments: true,
    allowTrailingComma: false,
    allowEmptyContent: false,
  });
  const [first] = errors;
  if (first === undefined) return '';
  const before = text.slice(0, first.offset).split('\n');
  return `: see line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

/** One entry, checked; `where` names it in errors. Throws a TokenListError. */
export function checkToken(entry: unknown, where: string): Token {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    throw new TokenListError(`${where} must be an object with name, sha256 and scopes`);
  }
  const { name, sha256, scopes, keyPrefix } = entry as Record<string, unknown>;
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new TokenListError(
      `${where}: name must be 1 to 64 letters, digits, dots, dashes and underscores`,
    );
  }
  const named = `${where} ("${name}")`;
  if (Object.keys(entry).some((member) => !MEMBERS.includes(member))) {
    throw new TokenListError(`${named} has a member that is none of ${MEMBERS.join(', ')}`);
  }
  const token = {
    name,
    sha256: checkDigest(sha256, named),
    scopes: checkScopes(scopes, named),
  };
  return keyPrefix === undefined
    ? token
    : { ...token, keyPrefix: checkKeyPrefix(keyPrefix, named) };
}

function checkDigest(sha256: unknown, named: string): string {
  if (typeof sha256 !== 'string' || !DIGEST.test(sha256)) {
    throw new TokenListError(
      `${named}: sha256 must be the SHA-256 of the token as 64 hex digits (${HOW_TO_HASH})`,
    );
  }
  const digest = sha256.toLowerCase();
  if (digest === DIGEST_OF_NOTHING) {
    throw new TokenListError(`${named}: sha256 is that of an empty text (${HOW_TO_HASH})`);
  }
  return digest;
}

function checkScopes(scopes: unknown, named: string): Scope[] {
  const isList =
    Array.isArray(scopes) &&
    scopes.length > 0 &&
    scopes.every((scope) => SCOPES.includes(scope)) &&
    new Set(scopes).size === scopes.length;
  if (isList) return scopes as Scope[];
  throw new TokenListError(
    `${named}: scopes must list one or more of "${SCOPES.join('", "')}", each once`,
  );
}

function checkKeyPrefix(keyPrefix: unknown, named: string): string {
  if (typeof keyPrefix === 'string' && isCanonicalPrefix(keyPrefix)) return keyPrefix;
  throw new TokenListError(
    `${named}: keyPrefix must be the beginning of keys as the server stores them: not empty, no slash ` +
      'at its begin, percent-decoded before a question mark (leave it out for all keys)',
  );
}

function refuseTwins(tokens: readonly Token[]): void {
  for (const member of ['name', 'sha256'] as const) {
    const places = new Map<string, number>();
    for (const [at, token] of tokens.entries()) {
      const other = places.get(token[member]);
      if (other !== undefined) {
        throw new TokenListError(
          `entries ${other + 1} and ${at + 1} ("${token.name}") have the same ${member}; ` +
            'each token has one entry',
        );
      }
      places.set(token[member], at);
    }
  }
}
