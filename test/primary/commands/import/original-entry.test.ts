import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  convertItem,
  type ImportedEntry,
} from '../../../../src/primary/commands/import/original-entry.ts';
import { Kind } from '../../../../src/protocol/record.ts';

const NOW_MS = 1_700_000_000_000;
const MiB = 2 ** 20;

const convert = (key: string | Buffer, value: string | Buffer): ImportedEntry | string =>
  convertItem({ key: Buffer.from(key), value: Buffer.from(value) }, NOW_MS, MiB);

function imported(key: string, value: string | Buffer): ImportedEntry {
  const entry = convert(key, value);
  assert.ok(typeof entry === 'object', String(entry));
  return entry;
}

describe('an item of the original', () => {
  it('is a JSON entry when it has its three members, with the text of value as the body', () => {
    const { meta, body } = imported(
      'a',
      '{"value":{"x":1.0},"expire":1800000000.5,"duration":"28ds"}',
    );
    assert.equal(body.toString(), '{"x":1.0}');
    assert.deepEqual(meta, {
      kind: Kind.json,
      expiresAtMs: 1_800_000_000_500,
      contentType: null,
      expire: 1_800_000_000.5,
      duration: '28ds',
    });
  });

  it('keeps any value, whatever it looks like', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.option(fc.string({ maxLength: 64 })), (value, duration) => {
        const text = JSON.stringify(value);
        const item = `{"value":${text},"expire":null,"duration":${JSON.stringify(duration)}}`;
        const { meta, body } = imported('a', item);
        assert.equal(body.toString(), text);
        assert.equal(meta.kind, Kind.json);
        assert.equal(meta.duration, duration);
        assert.equal(meta.expiresAtMs, 0);
      }),
    );
  });

  it('loses a duration that is longer than any client sends, and keeps its end', () => {
    const duration = '1d'.padEnd(65, 'a');
    const { meta } = imported('a', `{"value":1,"expire":1800000000,"duration":"${duration}"}`);
    assert.deepEqual([meta.duration, meta.expire], [null, 1_800_000_000]);
  });

  it('keeps a value that ends like an item', () => {
    const value = JSON.stringify('x","expire":1,"duration":"1s"}');
    const { body } = imported('a', `{"value":${value},"expire":null,"duration":null}`);
    assert.equal(body.toString(), value);
  });

  it('is raw bytes when it is anything else', () => {
    for (const value of [
      Buffer.from([0x80, 4, 0x95]),
      '',
      '{"value":1}',
      '{"value":,"expire":null,"duration":null}',
      '{"value":1,"expire":"x","duration":null}',
      ' {"value":1,"expire":null,"duration":null}',
    ]) {
      const { meta, body } = imported('a', value);
      assert.equal(meta.kind, Kind.raw);
      assert.ok(body.equals(Buffer.from(value)));
    }
  });

  it('is left out when it has expired', () => {
    const at = (expire: number): ImportedEntry | string =>
      convert('a', `{"value":1,"expire":${expire},"duration":null}`);
    assert.equal(at(NOW_MS / 1000), 'expired');
    assert.equal(at(0), 'expired');
    assert.equal(typeof at(NOW_MS / 1000 + 0.001), 'object');
  });

  it('gets the key under which a client of the original asks for it', () => {
    assert.equal(imported('a/데이터 b', 'x').key, 'a/데이터 b');
    assert.equal(imported('100%/a+b', 'x').key, '100%/a+b');
    assert.equal(imported('a?b=c d', 'x').key, 'a?b=c%20d');
  });

  it('is left out when its key cannot be asked for here', () => {
    assert.equal(convert('', 'x'), 'key-empty');
    assert.equal(convert('a/../b', 'x'), 'key-invalid');
    assert.equal(convert('a\u0000b', 'x'), 'key-invalid');
    assert.equal(convert(Buffer.from([0xff]), 'x'), 'key-invalid');
    assert.equal(convert('k'.repeat(8193), 'x'), 'key-too-long');
    assert.equal(convert('a', Buffer.alloc(MiB + 1)), 'body-too-large');
  });
});
