/** Values made from the schemas of the document: such as it describes, and such as it does not. */
import fc from 'fast-check';
import type { Media, Schema } from './document.ts';

/** Names for keys, prefixes, tags and all else that is text: few, so that requests meet. */
const TEXTS = ['a', 'b', 'count/1', 'list?page=1', 'list?page=2', 'team/a', 'é/ü', 'shoes'];

/** Texts that have broken servers. */
const ODD_TEXTS = [
  '',
  ' ',
  '/',
  '..',
  '\u0000',
  '\ud800',
  '\u202e',
  '__proto__',
  'constructor',
  '%00',
  '%zz',
  '-1',
  '1e400',
  'NaN',
  'x'.repeat(9000),
  '𝄞'.repeat(3000),
];

const INT64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

export const text: fc.Arbitrary<string> = fc.constantFrom(...TEXTS);
export const oddText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...ODD_TEXTS),
  // Halves of characters among them.
  fc
    .array(fc.nat({ max: 0xffff }), { maxLength: 40 })
    .map((units) => String.fromCharCode(...units)),
);

function numberFor({ format, minimum, maximum, type }: Schema): fc.Arbitrary<number> {
  if (format === 'int64') return fc.oneof(fc.integer({ min: -9, max: 9 }), INT64.map(Number));
  const [min, max] = [minimum ?? -1000, maximum ?? 2 ** 31];
  if (type === 'integer') return fc.oneof(fc.constantFrom(min, max), fc.integer({ min, max }));
  return fc.oneof(fc.integer({ min, max }), fc.constantFrom(0, 4_102_444_800, 1.5));
}

function textFor({ pattern, format }: Schema): fc.Arbitrary<string> {
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern, 'u'), { maxLength: 20 });
  if (format !== 'binary') return text;
  return fc
    .uint8Array({ maxLength: 2000 })
    .map((bytes) => Buffer.from(bytes.buffer).toString('latin1'));
}

function objectFor({ properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const members: Record<string, fc.Arbitrary<unknown>> = {};
  for (const [name, schema] of Object.entries(properties)) {
    const value = valueFor(schema);
    members[name] = required.includes(name) ? value : fc.option(value, { nil: undefined });
  }
  // JSON leaves out what is undefined.
  return fc.record(members);
}

/** A value that the schema describes. */
export function valueFor(schema: Schema): fc.Arbitrary<unknown> {
  const { const: only, enum: some, anyOf, type, items } = schema;
  if (only !== undefined) return fc.constant(only);
  if (some !== undefined) return fc.constantFrom(...some);
  if (anyOf !== undefined) return fc.oneof(...anyOf.map(valueFor));
  if (type === 'object') return objectFor(schema);
  if (type === 'array') return fc.array(valueFor(items ?? {}), { maxLength: 8 });
  if (type === 'integer' || type === 'number') return numberFor(schema);
  if (type === 'boolean') return fc.boolean();
  if (type === 'null') return fc.constant(null);
  if (type === 'string') return textFor(schema);
  return fc.jsonValue();
}

/** What the document shows as a body, or something else that its schema describes. */
export function bodyValueFor({ schema, example, examples = {} }: Media): fc.Arbitrary<unknown> {
  const shown = Object.values(examples).map(({ value }) => value);
  if (example !== undefined) shown.push(example);
  const made = valueFor(schema);
  return shown.length === 0 ? made : fc.oneof(fc.constantFrom(...shown), made);
}

/** One member, at some depth, is another, or missing, or new. */
function spoilt(value: unknown, odd: unknown, at: number): unknown {
  if (Array.isArray(value) && value.length > 0) {
    const nth = at % value.length;
    return value.map((one: unknown, place) => (place === nth ? spoilt(one, odd, at >> 1) : one));
  }
  if (typeof value !== 'object' || value === null) return odd;
  const names = Object.keys(value);
  const name = names[at % (names.length + 1)];
  if (name === undefined) return { ...value, unknown: odd };
  const member: unknown = Reflect.get(value, name);
  if (odd === undefined) {
    return Object.fromEntries(Object.entries(value).filter(([one]) => one !== name));
  }
  return { ...value, [name]: typeof member === 'object' ? spoilt(member, odd, at >> 2) : odd };
}

const ODD_VALUES = [undefined, null, true, 0, -1, 1.5, 2 ** 53, 1e308, [], {}, [[]]];

/** A value near to one that is described, that the schema does not describe. */
export function spoiltValueFor(media: Media): fc.Arbitrary<unknown> {
  const odd = fc.oneof(fc.constantFrom<unknown>(...ODD_VALUES), oddText, fc.jsonValue());
  return fc.tuple(bodyValueFor(media), odd, fc.nat({ max: 63 })).map((all) => spoilt(...all));
}

/** Bytes where JSON or msgpack should be. */
export const oddBytes: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(
    ...[
      '',
      'null',
      '{',
      '{"value"',
      '{"value":1}}',
      '\ufeff{"value":1}',
      '{"value":1e999999,"expire":-0}',
      '{"ttl":1,"ttl":2}',
      '{"value":"\\ud800","duration":"1d"}',
      '{"by":99999999999999999999}',
      '{"__proto__":{"value":1},"value":2}',
      '{"items":[{"op":"get"}]}',
      `{"value":${'['.repeat(5000)}${']'.repeat(5000)}}`,
      '['.repeat(100_000),
    ].map((bytes) => Buffer.from(bytes)),
    Buffer.from('{"value":"\xff\xfe"}', 'latin1'),
    Buffer.from([0x81, 0xa5, 0x69, 0x74, 0x65, 0x6d, 0x73, 0xdd, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0xc1]),
  ),
);
