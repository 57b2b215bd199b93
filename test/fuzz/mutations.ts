/** Spoils requests: bytes that are changed, added, taken, doubled, cut, numbers that grow, lines that end oddly. */

type Random = () => number;

/** What breaks parsers more often than chance would bring it. */
const TOKENS: readonly string[] = [
  ...['\r\n', '\n', '\r', '\0', ' ', '\t', ':', ';', ',', '"', '%', '?', '#', '/', '\\'],
  ...['%00', '%2f', '%2e%2e/', '%ff', '../', '//', '\u00ff', '\u00c3\u00a9', '\u00ed\u00a0\u0080'],
  ...['Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'Connection: close\r\n'],
  ...['Expect: 100-continue\r\n', 'Host: a\r\n', 'Content-Encoding: gzip\r\n', ' HTTP/1.0'],
  ...['0\r\n\r\n', 'ffffffff\r\n', '{', '[', '}', ']', 'null', '1e999', '-0', '"__proto__":1,'],
];
const NUMBERS: readonly string[] = [
  ...['0', '-1', '00', '1e9', '0x10', '4294967296', '9007199254740993', '9223372036854775808'],
  ...['18446744073709551616', '9'.repeat(400), '1.5', '+2'],
];
const MUTATIONS_MAX = 4;
const ONCE_SHARE = 0.6;
const REFRAMED_SHARE = 0.7;
const PIECE_BYTES_MAX = 40;
const REPEATS_MAX = 300;

const below = (random: Random, end: number): number => Math.floor(random() * end);

function pick<T>(random: Random, values: readonly T[]): T {
  const value = values[below(random, values.length)];
  if (value === undefined) throw new RangeError('nothing to pick from');
  return value;
}

/** `bytes` with `taken` of them from `at` on replaced. */
const spliced = (bytes: Buffer, at: number, taken: number, put: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + taken)]);

/** A number of `bytes`, in its place or anywhere. */
function numberAt(random: Random, text: string): [at: number, length: number] {
  const found = [...text.matchAll(/\d+/g)];
  if (found.length === 0) return [below(random, text.length + 1), 0];
  const { index, 0: digits } = pick(random, found);
  return [index, digits.length];
}

type Mutation = (bytes: Buffer, random: Random, corpus: readonly Buffer[]) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  function flip(bytes, random) {
    const changed = Buffer.from(bytes);
    const at = below(random, bytes.length);
    if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ (1 << below(random, 8));
    return changed;
  },
  function insertByte(bytes, random) {
    return spliced(bytes, below(random, bytes.length + 1), 0, Buffer.of(below(random, 256)));
  },
  function insertToken(bytes, random) {
    const token = Buffer.from(pick(random, TOKENS), 'latin1');
    return spliced(bytes, below(random, bytes.length + 1), 0, token);
  },
  function take(bytes, random) {
    const length = 1 + below(random, PIECE_BYTES_MAX);
    return spliced(bytes, below(random, bytes.length + 1), length, Buffer.alloc(0));
  },
  function double(bytes, random) {
    const at = below(random, bytes.length + 1);
    return spliced(bytes, at, 0, bytes.subarray(at, at + 1 + below(random, PIECE_BYTES_MAX)));
  },
  function repeat(bytes, random) {
    const at = below(random, bytes.length + 1);
    const piece = bytes.subarray(at, at + 1 + below(random, PIECE_BYTES_MAX));
    return spliced(
      bytes,
      at,
      0,
      Buffer.from(piece.toString('latin1').repeat(below(random, REPEATS_MAX)), 'latin1'),
    );
  },
  function splice(bytes, random, corpus) {
    const other = pick(random, corpus);
    const begin = bytes.subarray(0, below(random, bytes.length + 1));
    return Buffer.concat([begin, other.subarray(below(random, other.length))]);
  },
  function follow(bytes, random, corpus) {
    return Buffer.concat([bytes, pick(random, corpus)]);
  },
  function cut(bytes, random) {
    return bytes.subarray(0, below(random, bytes.length + 1));
  },
  function endLinesOddly(bytes, random) {
    const ends = [...bytes.toString('latin1').matchAll(/\r\n/g)];
    if (ends.length === 0) return bytes;
    const put = pick(random, ['\n', '\r', '\r\n\r\n', '\r\r\n', '\n\r', ' \r\n', '\r\n ']);
    return spliced(bytes, pick(random, ends).index, 2, Buffer.from(put));
  },
  function changeNumber(bytes, random) {
    const [at, length] = numberAt(random, bytes.toString('latin1'));
    return spliced(bytes, at, length, Buffer.from(pick(random, NUMBERS)));
  },
  function moveLine(bytes, random) {
    const lines = bytes.toString('latin1').split('\r\n');
    const [line = ''] = lines.splice(below(random, lines.length), 1);
    lines.splice(below(random, lines.length + 1), 0, line);
    return Buffer.from(lines.join('\r\n'), 'latin1');
  },
];

/** With a Content-Length that fits what stands behind the head, so that more than the framing is tried. */
function reframed(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const bodyAt = text.indexOf('\r\n\r\n') + 4;
  const found = /\r\nContent-Length: (\d+)\r\n/i.exec(text.slice(0, Math.max(0, bodyAt)));
  if (found === null) return bytes;
  const digits = found[1] ?? '';
  const at = found.index + found[0].length - 2 - digits.length;
  return spliced(bytes, at, digits.length, Buffer.from(`${bytes.length - bodyAt}`));
}

/** A request of `corpus`, spoilt once, or a few times. */
export function spoilt(random: Random, corpus: readonly Buffer[]): Buffer {
  let bytes = pick(random, corpus);
  const times = random() < ONCE_SHARE ? 1 : 1 + below(random, MUTATIONS_MAX);
  for (let left = times; left > 0; left--) {
    bytes = pick(random, MUTATIONS)(bytes, random, corpus);
  }
  return random() < REFRAMED_SHARE ? reframed(bytes) : bytes;
}
