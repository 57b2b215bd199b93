/** Bodies from strangers, read exactly: JSON and msgpack. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { jsonItems, jsonMembers } from '../../../src/workers/exact/json.ts';
import { msgpackItems } from '../../../src/workers/exact/msgpack.ts';
import { type Exact, TWICE, VALUES_MAX } from '../../../src/workers/exact/values.ts';

const isRefusal = (error: unknown): boolean =>
  error instanceof BigCacheError && error.code === 'BODY_INVALID';
const json = (text: string) => jsonMembers(Buffer.from(text));
const packr = new Packr({ useRecords: false, variableMapSize: true });
const pack = (value: unknown): Buffer => Buffer.from(packr.pack(value));

/** What a plain value is read as. */
function exact(value: unknown): Exact {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(exact);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value as Exact;
  return new Map(Object.entries(value).map(([name, member]) => [name, exact(member)]));
}

const scalars = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.boolean(),
  fc.constant(null),
  fc.maxSafeInteger(),
);
const names = fc.string().filter((name) => name !== '__proto__');
const values = fc.oneof(
  scalars,
  fc.array(scalars, { maxLength: 20 }),
  fc.dictionary(names, scalars, { noNullPrototype: true }),
);

describe('JSON', () => {
  it('is read as JSON.parse reads it, integers as such', () => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 30 }), (items) => {
        const body = Buffer.from(JSON.stringify({ items }, null, 1));
        assert.deepEqual(jsonItems(body, 30), items.map(exact));
      }),
    );
  });

  it('keeps integers that no number holds, and names that JavaScript has a use for', () => {
    const members = json('{"a":9223372036854775807,"__proto__":-1,"constructor":1.5,"b":1e3}');
    assert.equal(members.get('a'), 9223372036854775807n);
    assert.equal(members.get('__proto__'), -1n);
    assert.equal(members.get('constructor'), 1.5);
    assert.equal(members.get('b'), 1000);
  });

  it('tells of a name that comes twice', () => {
    assert.equal(json('{"a":1,"\\u0061":1}').get('a'), TWICE);
  });

  it('is refused where it is anything else', () => {
    const broken = ['', '[]', '1', '{', '{}x', '{"a":}', '{"a":1,}', '{"a":[1,]}', '{"a":01}'];
    broken.push('{"a":1}//', '{/**/}', "{'a':1}", '{"a":"\n"}', '{"a":undefined}', '\ufeff{}');
    for (const text of broken) assert.throws(() => json(text), isRefusal, text);
    assert.throws(() => jsonMembers(Buffer.from([0x7b, 0xff, 0x7d])), isRefusal);
    for (const text of ['{}', '{"items":{}}', '{"items":[]', '{"items":[],"more":1}', '{"x":[]}']) {
      assert.throws(() => jsonItems(Buffer.from(text), 9), isRefusal, text);
    }
    assert.throws(() => jsonItems(Buffer.from('{"items":[1,2,3]}'), 2), isRefusal);
  });

  it('is refused, not recursed into, when it nests deep or has very many values', () => {
    const deep = `{"items":[${'['.repeat(100_000)}`;
    assert.throws(() => jsonItems(Buffer.from(deep), 9), isRefusal);
    const many = `{"items":[[${'0,'.repeat(VALUES_MAX)}0]]}`;
    assert.throws(() => jsonItems(Buffer.from(many), 9), isRefusal);
  });
});

describe('msgpack', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.array(values, { maxLength: 30 }), (items) => {
        assert.deepEqual(msgpackItems(pack({ items }), 30), items.map(exact));
      }),
    );
  });

  it('keeps bytes, and integers of all 64 bits', () => {
    const bytes = Buffer.from([0, 0xff]);
    const long = Buffer.alloc(70_000, 1);
    const items = [bytes, long, 2n ** 63n - 1n, -(2n ** 63n), 1.5, 'x'.repeat(70_000), '\ufeffk'];
    assert.deepEqual(msgpackItems(pack({ items }), 9), items);
    // In the widths that no other value above has.
    const widths =
      '81a56974656d73 9a cc80 cdffff ceffffffff cfffffffffffffffff d0ff d1ff7f d2ffffff7f';
    const more = `${widths} ca3fc00000 df00000001a16101 dd0000000101`.replaceAll(' ', '');
    assert.deepEqual(msgpackItems(Buffer.from(more, 'hex'), 10), [
      ...[128n, 65535n, 4294967295n, 18446744073709551615n, -1n, -129n, -129n, 1.5],
      ...[new Map([['a', 1n]]), [1n]],
    ]);
  });

  it('is refused where it is cut, has bytes behind it, or types of its own', () => {
    const whole = pack({ items: [{ op: 'get', key: 'a' }] });
    for (let length = 0; length < whole.length; length++) {
      assert.throws(() => msgpackItems(whole.subarray(0, length), 9), isRefusal);
    }
    assert.throws(() => msgpackItems(Buffer.concat([whole, Buffer.alloc(1)]), 9), isRefusal);
    for (const value of [[], { items: 1 }, { items: [], more: 1 }, { items: [1, 2, 3] }]) {
      assert.throws(() => msgpackItems(pack(value), 2), isRefusal);
    }
    for (const hex of ['c1', 'd4', 'c7', 'd47240', 'd6ff00000000']) {
      const item = Buffer.concat([Buffer.from('81a56974656d7391', 'hex'), Buffer.from(hex, 'hex')]);
      assert.throws(() => msgpackItems(item, 2), isRefusal, hex);
    }
    const noText = Buffer.from('81a56974656d7391a1ff', 'hex');
    assert.throws(() => msgpackItems(noText, 2), isRefusal);
    const numberAsName = Buffer.from('81a56974656d73918101ff', 'hex');
    assert.throws(() => msgpackItems(numberAsName, 2), isRefusal);
  });

  it('is refused when it nests deep, promises more than it has, or has very many values', () => {
    const begin = Buffer.from('81a56974656d73', 'hex');
    const bodies = [
      Buffer.alloc(200_000, 0x91),
      Buffer.from('ddffffffff', 'hex'),
      Buffer.from('dfffffffff', 'hex'),
      Buffer.from('91c6ffffffff', 'hex'),
      Buffer.concat([Buffer.from('dd00020000', 'hex'), Buffer.alloc(131_072, 0x90)]),
    ];
    for (const body of bodies) {
      assert.throws(() => msgpackItems(Buffer.concat([begin, body]), 1e9), isRefusal);
    }
  });

  it('never throws anything but a refusal, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          msgpackItems(Buffer.from(bytes), 9);
        } catch (error) {
          assert.ok(isRefusal(error));
        }
      }),
    );
  });
});
