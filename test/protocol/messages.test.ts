import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Packr } from 'msgpackr';
import { figuresToList, newFigures, PROCESS_FIGURES } from '../../src/protocol/figures.ts';
import { FRAME_HEAD_BYTES, ProtocolError } from '../../src/protocol/frame.ts';
import { decodeMessages, encodeMessages, type Message } from '../../src/protocol/messages.ts';
import { Opcode } from '../../src/protocol/opcodes.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Sends a key through a frame and back, and prints it. */
const ROUND_TRIP = `
  import { FRAME_HEAD_BYTES } from './src/protocol/frame.ts';
  import { decodeMessages, encodeMessages } from './src/protocol/messages.ts';
  import { Opcode } from './src/protocol/opcodes.ts';
  const frame = encodeMessages([[Opcode.get, 1, process.argv[1]]]);
  const [[, , key]] = decodeMessages(frame.subarray(FRAME_HEAD_BYTES));
  process.stdout.write(JSON.stringify(key));
`;

const packr = new Packr({ useRecords: false });
const pack = (value: unknown): Buffer => Buffer.from(packr.pack(value));

function assertRefused(payload: Buffer): void {
  assert.throws(() => decodeMessages(payload), ProtocolError);
}

describe('the messages of a frame', () => {
  it('come out as they went in', () => {
    const messages: Message[] = [
      [Opcode.get, 1, 'a/b?c=1'],
      [Opcode.put, 2, 'ключ', Buffer.alloc(100, 7), 12],
      [Opcode.reply, 3, null],
      [Opcode.failure, 4, 26],
      [Opcode.report, 0, [1, 2, 3, 4]],
    ];
    assert.deepEqual(decodeMessages(encodeMessages(messages).subarray(FRAME_HEAD_BYTES)), messages);
  });

  it('keep keys apart that differ in a byte order mark alone', () => {
    const key = `\ufeff${'a'.repeat(100)}`;
    const frame = encodeMessages([[Opcode.get, 1, key]]);
    assert.ok(frame.includes(Buffer.from(key)), 'the mark is on the wire');
    assert.deepEqual(decodeMessages(frame.subarray(FRAME_HEAD_BYTES)), [[Opcode.get, 1, key]]);
    const withoutNative = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', ROUND_TRIP, key],
      { env: { ...process.env, MSGPACKR_NATIVE_ACCELERATION_DISABLED: 'true' }, cwd: ROOT },
    );
    assert.equal(
      withoutNative.stdout.toString(),
      JSON.stringify(key),
      String(withoutNative.stderr),
    );
  });

  it('are refused with a key that is no UTF-8', () => {
    assertRefused(pack([[Opcode.get, 1, Buffer.from([0x61, 0xff])]]));
    assertRefused(pack([[Opcode.get, 1, 'text instead of bytes']]));
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
    const key = Buffer.from('a');
    assertRefused(pack([[Opcode.get, 1]]));
    assertRefused(pack([[Opcode.get, 1, key, 'b']]));
    assertRefused(pack([[Opcode.put, 1, key, 'no bytes', null]]));
    assertRefused(pack([[Opcode.put, 1, key, Buffer.alloc(3), null]]));
    assertRefused(pack([[Opcode.put, 1, key, Buffer.alloc(70_000), null]]));
    assertRefused(pack([[Opcode.put, 1, key, Buffer.alloc(100), -1]]));
    assertRefused(pack([[Opcode.report, 0, [1, 2]]]));
    const figures = figuresToList(PROCESS_FIGURES, newFigures(PROCESS_FIGURES));
    const told = pack([[Opcode.reportTally, 0, [1, 2.5], figures]]);
    assert.equal(decodeMessages(told).length, 1);
    for (const tally of [[-1], ['1'], [null], {}, Array.from({ length: 65_537 }, () => 0)]) {
      assertRefused(pack([[Opcode.reportTally, 0, tally, figures]]));
    }
    for (const list of [[], [...figures, 0], figures.map(() => -1), figures.map(String)]) {
      assertRefused(pack([[Opcode.reportTally, 0, [], list]]));
    }
    assertRefused(pack([[Opcode.sealSegment, 1, -5]]));
  });

  it('are refused with a key that is over the limit or not canonical', () => {
    for (const key of ['', 'a'.repeat(8193), 'a\u0000b', '/a']) {
      assertRefused(pack([[Opcode.get, 1, Buffer.from(key)]]));
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
