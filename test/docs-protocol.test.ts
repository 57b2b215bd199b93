/** docs/protocol.md and the tables of the channel say the same, both ways round. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { CHANNEL_LIMITS } from '../src/protocol/channel.ts';
import { COUNTERS } from '../src/protocol/counters.ts';
import { ERRORS } from '../src/protocol/errors.ts';
import { FRAME_BYTES_MAX } from '../src/protocol/frame.ts';
import { MISS_CODES, type MissReason } from '../src/protocol/miss.ts';
import { Opcode, PROTOCOL_VERSION } from '../src/protocol/opcodes.ts';

const TEXT = readFileSync(new URL('../docs/protocol.md', import.meta.url), 'utf8');
const UNWRAPPED = TEXT.replaceAll('\n', ' ');

/** The part of the page under a heading, up to the next one. */
function section(heading: string): string {
  const after = TEXT.split(`\n## ${heading}\n`)[1];
  assert.ok(after !== undefined, `there is no section "${heading}"`);
  return after.split('\n## ')[0] ?? '';
}

const byNumber = (one: [number, string], other: [number, string]): number => one[0] - other[0];

describe('docs/protocol.md', () => {
  it('has one row for each opcode with its number, and no other', () => {
    const rows = [...section('Opcodes').matchAll(/^\| (\d+) \| `(\w+)` \|/gm)];
    const documented = rows.map(([, code, name]): [number, string] => [Number(code), name ?? '']);
    const inCode = Object.entries(Opcode).map(([name, code]): [number, string] => [code, name]);
    assert.deepEqual(documented, inCode.sort(byNumber));
  });

  it('names the number of each error, and no other', () => {
    const list = [...section('Errors').matchAll(/(\d+)\s`([A-Z_]+)`/g)];
    const documented = list.map(([, wire, name]): [number, string] => [Number(wire), name ?? '']);
    const inCode = Object.entries(ERRORS).map(([name, { wire }]): [number, string] => [wire, name]);
    assert.deepEqual(documented, inCode.sort(byNumber));
  });

  it('gives the version, the counters and the codes of misses', () => {
    assert.ok(UNWRAPPED.includes(`Version of the protocol: ${PROTOCOL_VERSION}.`));
    assert.ok(UNWRAPPED.includes(`${COUNTERS.length} integers: ${COUNTERS.join(', ')}.`));
    for (const reason of Object.keys(MISS_CODES) as MissReason[]) {
      const named = `${MISS_CODES[reason]} ${reason.replace('-', ' ')}`;
      assert.ok(section('Opcodes').includes(named), named);
    }
  });

  it('gives the limits that the channel keeps', () => {
    const limits = section('Limits and flow control');
    const count = (value: number): string => value.toLocaleString('en-US');
    assert.ok(
      limits.includes(
        `| own requests that wait for an answer | ${count(CHANNEL_LIMITS.pendingMax)} |`,
      ),
    );
    assert.ok(
      limits.includes(`| requests of the peer in service | ${count(CHANNEL_LIMITS.servingMax)} |`),
    );
    assert.ok(limits.includes(`| ${CHANNEL_LIMITS.unsentBytesMax / 2 ** 20} MiB |`));
    assert.ok(limits.includes(`| ${CHANNEL_LIMITS.stallMs / 1000} s |`));
    assert.ok(
      section('Frames')
        .replaceAll('\n', ' ')
        .includes(`${FRAME_BYTES_MAX / 2 ** 20} MiB`),
    );
    assert.ok(
      section('Deadlines').includes(`\`sumCounters\` | ${CHANNEL_LIMITS.deadlineMs / 1000} s |`),
    );
  });
});
