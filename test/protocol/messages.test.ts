import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Packr } from 'msgpackr';
import { FRAME_HEAD_BYTES, ProtocolError } from '../../src/protocol/frame.ts';
import { decodeMessages, encodeMessages, type Message } from '../../src/protocol/messages.ts';
import { Opcode } from '../../src/protocol/opcodes.ts';

const packr = new Packr({ useRecords: false });
const pack = (value: unknown): Buffer => Buffer.from(packr.pack(value));

function assertRefused(payload: Buffer): void {
  assert.throws(() => decodeMessages(payload), ProtocolError);
}

describe('the messages of a frame', () => {
  it('come out as they went in', () => {
    const messages: Message[] = [
      [Opcode.get, 1, 'a/b?c=1'],
      [Opcode.put, 2, 'ключ', Buffer.alloc(100, 7)],
      [Opcode.reply, 3, null],
      [Opcode.failure, 4, 26],
      [Opcode.report, 0, [1, 2, 3, 4]],
    ];
    assert.deepEqual(decodeMessages(encodeMessages(messages).subarray(FRAME_HEAD_BYTES)), messages);
  });

  it('are refused when the payload is no msgpack, or has bytes behind it', () => {
    assertRefused(Buffer.from([0xc1]));
    assertRefused(Buffer.from([0x91]));
    assertRefused(Buffer.concat([pack([[Opcode.count, 1]]), Buffer.from([0])]));
  });

  it('are refused when they are no list of arrays', () => {
    for (const value of [null, 7, 'text', {}, [], [7], [{}], [[]]]) assertRefused(pack(value));
  });

  it('are refused with an unknown opcode', () => {
    for (const opcode of [255, -1, '16', null, 1.5]) assertRefused(pack([[opcode, 1, 'a']]));
  });

  it('are refused with an id that is no safe, non-negative integer', () => {
    for (const id of [Number.NaN, -1, 1.5, 2 ** 64, '1', null, {}]) {
      assertRefused(pack([[Opcode.count, id]]));
    }
  });

  it('are refused with too few, too many or wrong fields', () => {
    assertRefused(pack([[Opcode.get, 1]]));
    assertRefused(pack([[Opcode.get, 1, 'a', 'b']]));
    assertRefused(pack([[Opcode.put, 1, 'a', 'no bytes']]));
    assertRefused(pack([[Opcode.put, 1, 'a', Buffer.alloc(3)]]));
    assertRefused(pack([[Opcode.put, 1, 'a', Buffer.alloc(70_000)]]));
    assertRefused(pack([[Opcode.report, 0, [1, 2]]]));
    assertRefused(pack([[Opcode.sealSegment, 1, -5]]));
  });

  it('are refused with a key that is over the limit or not canonical', () => {
    for (const key of ['', 'a'.repeat(8193), 'a\u0000b', '/a', 7, Buffer.from('a')]) {
      assertRefused(pack([[Opcode.get, 1, key]]));
    }
  });

  it('are refused when they hold records or other extension types', () => {
    const records = new Packr({ useRecords: true, structures: [] });
    assertRefused(Buffer.from(records.pack([[Opcode.get, 1, { a: 1 }]])));
    assertRefused(Buffer.from([0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61]));
    assertRefused(pack([[Opcode.get, 1, new Date()]]));
  });

  it('are refused, not recursed into, when they nest 200,000 levels deep', () => {
    assertRefused(Buffer.concat([Buffer.alloc(200_000, 0x91), Buffer.from([0xc0])]));
  });
});
