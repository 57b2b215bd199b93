/**
 * Range requests (RFC 9110 section 14): one range of bytes. Several are answered with the whole.
 */
import type { ByteRange } from '../../segments/body-reader.ts';

const RANGE = /^bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i;

/**
 * The range that the field asks for; undefined where the whole is the answer (another unit, several
 * ranges, what cannot be read), 'unsatisfiable' where nothing of it exists.
 */
export function parseRange(
  field: string | undefined,
  byteLength: number,
): ByteRange | 'unsatisfiable' | undefined {
  const [, first, last] = RANGE.exec(field ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') return suffix(Number(last), byteLength);
  const start = Number(first);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= byteLength) return 'unsatisfiable';
  return { start, end: last === '' ? byteLength : Math.min(Number(last) + 1, byteLength) };
}

function suffix(bytes: number, byteLength: number): ByteRange | 'unsatisfiable' {
  if (bytes === 0 || byteLength === 0) return 'unsatisfiable';
  return { start: Math.max(0, byteLength - bytes), end: byteLength };
}

/** `Content-Range` of a 206, or of a 416 without a range. */
export function contentRange(range: ByteRange | undefined, byteLength: number): string {
  const what = range === undefined ? '*' : `${range.start}-${range.end - 1}`;
  return `bytes ${what}/${byteLength}`;
}
