/**
 * Cache-Control as it is sent (RFC 9111 section 5.2): directives with or without a value, in any case.
 * What cannot be read is left out; who needs a directive says what its absence means.
 */

/** RFC 9111 section 1.2.2: what is more seconds counts as this. */
export const DELTA_SECONDS_MAX = 2 ** 31;

const DIRECTIVE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*)))?$/;
/** One directive with what follows it up to the next comma that is not quoted. */
const PART_AT = /((?:[^",]|"(?:[^"\\]|\\.)*")*)(?:,|$)/y;
/** Longer fields are not looked at: no client sends one. */
export const FIELD_LENGTH_MAX = 2048;

const NONE: ReadonlyMap<string, string> = new Map();

/** Directive, in lower case -> its value; '' where it has none. The first of several counts. */
export function parseDirectives(field: string | undefined): ReadonlyMap<string, string> {
  if (field === undefined || field.length > FIELD_LENGTH_MAX) return NONE;
  const directives = new Map<string, string>();
  for (const part of partsOf(field)) {
    const [, name, quoted, token] = DIRECTIVE.exec(part.trim()) ?? [];
    if (name === undefined) continue;
    const key = name.toLowerCase();
    const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? token ?? '';
    if (!directives.has(key)) directives.set(key, value);
  }
  return directives;
}

/** What stands between the commas; nothing where a quote is left open, which may be meant to go on anywhere. */
function partsOf(field: string): string[] {
  const parts: string[] = [];
  PART_AT.lastIndex = 0;
  while (PART_AT.lastIndex < field.length) {
    const match = PART_AT.exec(field);
    if (match === null) return [];
    parts.push(match[1] as string);
  }
  return parts;
}

/** The seconds of a directive, capped; undefined where it is not there, NaN where it is no number. */
export function deltaSeconds(
  directives: ReadonlyMap<string, string>,
  name: string,
): number | undefined {
  const value = directives.get(name);
  if (value === undefined) return undefined;
  return /^\d+$/.test(value) ? Math.min(Number(value), DELTA_SECONDS_MAX) : Number.NaN;
}
