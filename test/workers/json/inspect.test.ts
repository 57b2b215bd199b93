import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BigCacheError, type ErrorCode } from '../../../src/protocol/errors.ts';
import { inspectBody } from '../../../src/workers/json/inspect.ts';

const inspect = (text: string) => inspectBody(Buffer.from(text));

function rawValue(text: string): string {
  const body = Buffer.from(text);
  const { valueStart, valueEnd } = inspectBody(body);
  return body.toString('utf8', valueStart, valueEnd);
}

function refuses(body: string | Buffer, code: ErrorCode): void {
  const act = () => inspectBody(Buffer.from(body));
  assert.throws(act, (error) => error instanceof BigCacheError && error.code === code, `${body}`);
}

test('the value is the JSON text that was sent, byte for byte', () => {
  for (const value of [
    'null',
    '""',
    '0',
    'false',
    '9007199254740993',
    '1.0',
    '1e400',
    '-0.0E+5',
    '{"b":1,"a":2,"1":3}',
    '{"__proto__":{"x":1},"constructor":1}',
    '[1, [2], {"a" : []}]',
    '"\\u00e9 \\ud800 \\" \\\\"',
    '"é🐘 "',
  ]) {
    assert.equal(rawValue(`{"value":${value}}`), value);
    assert.equal(rawValue(` { "x" : "é" , "value" : ${value} ,\r\n\t"y":1} `), value);
  }
});

test('a long string is found whatever surrounds it', () => {
  const page = JSON.stringify('<p class="x">é\n</p>'.repeat(400));
  for (const value of [
    page,
    `"${'x'.repeat(5000)}\\",\\"expire\\":1}"`,
    `"${'\\\\'.repeat(4000)}"`,
  ]) {
    for (const tail of ['}', ' }\n', ',"expire":7,"duration":"1d"}', ' , "z":{"expire":[]}}']) {
      const body = `{ "value" : ${value}${tail}`;
      assert.equal(rawValue(body), value, tail);
    }
    assert.equal(inspect(`{"value":${value},"expire":7}`).expire, 7);
    assert.equal(inspect(`{"value":${value}, "duration": "2m"}`).durationSeconds, 120);
    assert.equal(inspect(`{"duration":"1s","value":${value}}`).durationSeconds, 1);
    refuses(`{"value":${value},"value":1}`, 'BODY_INVALID');
    refuses(`{"value":${value},"expire":1,"value":1}`, 'BODY_INVALID');
    refuses(`{"value":${value},"expire":1,}`, 'BODY_INVALID');
    refuses(`{"value":${value} x,"expire":1}`, 'BODY_INVALID');
    refuses(`{"value":${value}}}`, 'BODY_INVALID');
  }
});

test('what is not a JSON object with one value is refused', () => {
  for (const body of [
    '',
    ' ',
    'nonsense',
    '{"value":1',
    '{"value":"a',
    '\ufeff{"value":1}',
    '[]',
    '"x"',
    'null',
    '{}',
    '{"Value":1}',
    '{"value":1,"value":2}',
    '{"value":1,"\\u0076alue":2}',
    '{"value":1,}',
    '{,"value":1}',
    '{"value":NaN}',
    '{"value":Infinity}',
    '{"value":01}',
    '{"value":1.}',
    '{"value":-}',
    '{"value":+1}',
    "{'value':1}",
    '{value:1}',
    '{"value":1}//',
    '{/* */"value":1}',
    '{"value":1}{',
    '{"value":"\t"}',
    '{"value":"\\x"}',
    '{"value":\u00a01}',
  ]) {
    refuses(body, 'BODY_INVALID');
  }
  refuses(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'BODY_INVALID');
});

test('JSON nests up to 512 levels, and 100,000 levels are refused, not a crash', () => {
  const nested = (levels: number) => `{"value":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  assert.equal(rawValue(nested(512)).length, 1024);
  refuses(nested(513), 'BODY_INVALID');
  refuses(nested(100_000), 'BODY_INVALID');
  refuses(`{"value":1,"other":${'{"a":'.repeat(100_000)}`, 'BODY_INVALID');
  refuses('['.repeat(100_000), 'BODY_INVALID');
});

test('a duration is digits, a unit, and letters that do not count', () => {
  const seconds = { '0s': 0, '3600s': 3600, '2m': 120, '3h': 10800, '28d': 2419200 };
  for (const [duration, expected] of Object.entries(seconds)) {
    assert.equal(inspect(`{"value":1,"duration":"${duration}"}`).durationSeconds, expected);
  }
  assert.equal(inspect('{"value":1,"duration":"28ds"}').durationSeconds, 28 * 86400);
  assert.equal(inspect('{"value":1,"duration":"7dayss"}').durationSeconds, 7 * 86400);
  assert.equal(inspect('{"value":1,"duration":"28ds"}').duration, '28ds');
  for (const duration of [
    '',
    '-1s',
    '1.5h',
    '1w',
    'd',
    '1',
    ' 1s',
    '1s ',
    '1 s',
    '99999999999999d',
  ]) {
    refuses(`{"value":1,"duration":"${duration}"}`, 'DURATION_INVALID');
  }
  for (const duration of ['1', 'true', '{}', '[]']) {
    refuses(`{"value":1,"duration":${duration}}`, 'DURATION_INVALID');
  }
});

test('expire is a finite number of seconds, or such a number as text', () => {
  assert.equal(inspect('{"value":1,"expire":1700000000.5}').expire, 1700000000.5);
  assert.equal(inspect('{"value":1,"expire":"1700000000"}').expire, 1700000000);
  assert.equal(inspect('{"value":1,"expire":0}').expire, 0);
  assert.equal(inspect('{"value":1,"expire":-1}').expire, -1);
  assert.equal(inspect('{"value":1,"expire":"-1.5"}').expire, -1.5);
  for (const expire of [
    '"abc"',
    '""',
    'true',
    '1e999',
    '"1e999"',
    '-1e999',
    '"NaN"',
    '"Infinity"',
    '[]',
    '{}',
    '"0x10"',
    '" 1"',
  ]) {
    refuses(`{"value":1,"expire":${expire}}`, 'EXPIRE_INVALID');
  }
});

test('members that are null count as absent, and unknown members are ignored', () => {
  const found = inspect('{"value":1,"expire":null,"duration":null,"tags":["a"]}');
  assert.deepEqual([found.expire, found.duration, found.durationSeconds], [null, null, null]);
});

/** JSON-like text: documents, and documents with one thing wrong somewhere. */
const almostJson = fc
  .tuple(
    fc.json({ maxDepth: 4 }),
    fc.nat(),
    fc.constantFrom(
      '',
      '',
      ',',
      '"',
      '\\',
      '0',
      '{',
      '}',
      ' ',
      '\n',
      'é',
      '//',
      '-',
      'e',
      '\u0001',
    ),
  )
  .map(([text, at, extra]) => {
    const cut = at % (text.length + 1);
    return text.slice(0, cut) + extra + text.slice(cut);
  });

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('a value is accepted exactly where JSON.parse accepts it, and comes back the same', () => {
  const paddings = fc.constantFrom('', `"pad":"${'x'.repeat(2000)}",`);
  fc.assert(
    fc.property(almostJson, paddings, (value, padding) => {
      const body = `{${padding}"value":${value}}`;
      const before = isJson(value) ? value.trim() : undefined;
      if (isJson(body) && before !== undefined) assert.equal(rawValue(body), before);
      else if (!isJson(body)) refuses(body, 'BODY_INVALID');
    }),
    { numRuns: 5000 },
  );
});

test('a long string value is accepted exactly where JSON.parse accepts it', () => {
  const pieces = fc.array(
    fc.constantFrom('<p>', '\\n', '\\"', '"', '\\', ',"expire":1', '\\u00e9', 'é', '}', '\n', ' '),
    { maxLength: 8 },
  );
  const tails = fc.constantFrom(
    '}',
    ',"expire":1}',
    ', "duration":"1s"}',
    ',"expire":1,"x":"}"}',
    ' ',
  );
  fc.assert(
    fc.property(pieces, pieces, tails, (start, end, tail) => {
      const body = `{"value":"${start.join('')}${'x'.repeat(1100)}${end.join('')}"${tail}`;
      const twice = (body.match(/"value"/g) ?? []).length > 1;
      if (!isJson(body) || twice) refuses(body, 'BODY_INVALID');
      else assert.deepEqual(JSON.parse(rawValue(body)), JSON.parse(body).value);
    }),
    { numRuns: 5000 },
  );
});
