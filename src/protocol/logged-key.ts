/**
 * A key as it stands in a log line: on one line, visible, and short. Keys come from clients, and whoever
 * reads a log in a terminal must not be deceived by one. Both processes use it.
 */

/** Characters of a key, counted before they are escaped. */
export const LOGGED_KEY_LENGTH_MAX = 200;

/**
 * What is not seen as it is: controls and invisible formatting (the bidirectional overrides among them),
 * separators of lines, lone surrogates, what is not assigned, and the backslash, which escapes.
 */
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}\\]/gu;

/** `key` cut to 200 characters, with how many are left out, and with `\u{...}` for what is hidden. */
export function loggedKey(key: string): string {
  if (key.length <= LOGGED_KEY_LENGTH_MAX) return key.replace(HIDDEN, escaped);
  const left = key.length - LOGGED_KEY_LENGTH_MAX;
  return `${key.slice(0, LOGGED_KEY_LENGTH_MAX).replace(HIDDEN, escaped)}... (${left} more)`;
}

function escaped(character: string): string {
  if (character === '\\') return '\\\\';
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}
