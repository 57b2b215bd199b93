/**
 * Accept-Encoding (RFC 9110 section 12.5.3): whether a client takes the encoding in which an entry is
 * stored, and likes it no less than the plain form.
 */

/** A coding or `*`, and its weight, which is 0 to 1 with at most three decimals. */
const ELEMENT =
  /^[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?$/;

/** Fields are few and come again with every request, so what they say is remembered. */
const REMEMBERED_MAX = 256;
const REMEMBERED_LENGTH_MAX = 128;
const remembered = new Map<string, boolean>();

/**
 * Whether `gzip` is what a client is best answered with. Elements that cannot be read are passed over. A
 * client that sends no such field gets the plain form, as one does that allows nothing that there is.
 */
export function takesGzip(field: string | undefined): boolean {
  if (field === undefined) return false;
  const known = remembered.get(field);
  if (known !== undefined) return known;
  const takes = judge(field);
  if (field.length <= REMEMBERED_LENGTH_MAX) {
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    remembered.set(field, takes);
  }
  return takes;
}

function judge(field: string): boolean {
  let gzip: number | undefined;
  let identity: number | undefined;
  let others: number | undefined;
  for (const element of field.split(',')) {
    const [, coding, weight = '1'] = ELEMENT.exec(element) ?? [];
    if (coding === undefined) continue;
    const q = Number(weight);
    const name = coding.toLowerCase();
    // Where a coding is named twice, what is allowed more counts; `x-gzip` is the same as `gzip`.
    if (name === 'gzip' || name === 'x-gzip') gzip = Math.max(gzip ?? 0, q);
    else if (name === 'identity') identity = Math.max(identity ?? 0, q);
    else if (name === '*') others = Math.max(others ?? 0, q);
  }
  const gzipWeight = gzip ?? others ?? 0;
  // `*` stands for every coding that is not named, so that one that names nothing likes all alike.
  return gzipWeight > 0 && gzipWeight >= (identity ?? others ?? 0);
}
