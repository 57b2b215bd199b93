/** The verifying walk: every append once, in order; damage is passed only where that is safe. */
import assert from 'node:assert/strict';
import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  APPEND_HEADER_BYTES,
  appendBytes,
  SEGMENT_HEADER_BYTES,
  segmentFileName,
} from '../../src/segments/format.ts';
import { VerifiedWalk, type WalkStep } from '../../src/segments/verified-walk.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { appendTo, newLog, TestGrants } from './segment-setup.ts';

const MiB = 1024 * 1024;
const ENTRIES = [
  { key: 'a', bodyBytes: 10 },
  { key: '한국', bodyBytes: 0 },
  { key: 'long', bodyBytes: 200_000 },
  { key: 'z', bodyBytes: 70_000 },
  { key: 'end', bodyBytes: 5 },
];

/** A step in short: keys of sound appends, what else is found. */
type Told = readonly [what: string, at: number, more: string | boolean | number | undefined];

function tell(step: WalkStep): Told {
  if (step.what === 'append') {
    const { key, at } = step.append;
    return [key, at, step.bodyIsIntact];
  }
  return [step.what, step.at, step.what === 'tail' ? step.isTorn : step.bytes];
}

async function walkOver(path: string, readsBodies = true): Promise<Told[]> {
  const walk = await VerifiedWalk.open(path, { readsBodies });
  const told: Told[] = [];
  for await (const step of walk.steps()) told.push(tell(step));
  await walk.close();
  return told;
}

/** A segment with ENTRIES; answers its path and where each append begins, the end included. */
async function written(
  directory: string,
  entries: readonly { key: string; bodyBytes: number }[] = ENTRIES,
): Promise<{ path: string; begins: number[] }> {
  const log = newLog(directory, new TestGrants(), 64 * MiB);
  for (const { key, bodyBytes } of entries) {
    const placed = await appendTo(log, key, Buffer.alloc(bodyBytes, 'b'));
    placed.settle(true);
  }
  await log.sealAll();
  while (!log.isIdle) await new Promise((resolve) => setImmediate(resolve));
  const path = join(directory, segmentFileName(1));
  const walk = await VerifiedWalk.open(path);
  const begins: number[] = [SEGMENT_HEADER_BYTES];
  for await (const step of walk.steps()) {
    assert.ok(step.what === 'append');
    begins.push(step.append.at + appendBytes(step.append.header));
  }
  assert.equal((await walk.header())?.id, 1);
  await walk.close();
  return { path, begins };
}

async function flip(path: string, at: number): Promise<void> {
  const content = await readFile(path);
  content[at] = (content[at] ?? 0) ^ 0xff;
  await writeFile(path, content);
}

describe('a verifying walk', () => {
  it('finds what was written, with and without reading bodies', async (t) => {
    const { path, begins } = await written(await temporaryDirectory(t));
    for (const [readsBodies, told] of [
      [true, true],
      [false, undefined],
    ] as const) {
      const expected = ENTRIES.map(({ key }, nth) => [key, begins[nth], told]);
      assert.deepEqual(await walkOver(path, readsBodies), expected);
    }
  });

  it('verifies a body that is longer than its window', async (t) => {
    const directory = await temporaryDirectory(t);
    const { path, begins } = await written(directory, [
      { key: 'first', bodyBytes: 5 * MiB + 3 },
      { key: 'second', bodyBytes: 1 },
    ]);
    const bodyAt = SEGMENT_HEADER_BYTES + APPEND_HEADER_BYTES + 'first'.length;
    for (const at of [0, 2 * MiB, 5 * MiB + 2]) {
      await flip(path, bodyAt + at);
      assert.deepEqual(await walkOver(path), [
        ['first', SEGMENT_HEADER_BYTES, false],
        ['second', begins[1], true],
      ]);
      assert.equal((await walkOver(path, false)).length, 2);
      await flip(path, bodyAt + at);
    }
    assert.deepEqual((await walkOver(path))[0], ['first', SEGMENT_HEADER_BYTES, true]);
  });

  it('says of any flipped byte that something is damaged, and never makes anything up', async (t) => {
    const directory = await temporaryDirectory(t);
    const { path, begins } = await written(directory);
    const whole = await readFile(path);
    const sound = new Set((await walkOver(path)).map((told) => JSON.stringify(told)));
    const end = begins.at(-1) ?? 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: SEGMENT_HEADER_BYTES, max: end - 1 }), async (at) => {
        await flip(path, at);
        const told = await walkOver(path);
        await writeFile(path, whole);
        const begin = begins.findLast((one) => one <= at) ?? 0;
        // State and reserved bytes are covered by no checksum.
        const isUncovered = at === begin + 5 || (at >= begin + 24 && at < begin + 40);
        const found = told.filter((one) => !sound.has(JSON.stringify(one)));
        assert.equal(found.length, isUncovered ? 0 : 1, `byte ${at}: ${JSON.stringify(told)}`);
        if (!isUncovered) assert.equal(found[0]?.[1], begin);
      }),
      { numRuns: 150 },
    );
  });

  it('goes on behind damage where its lengths lead, to the end of the file too', async (t) => {
    const { path, begins } = await written(await temporaryDirectory(t));
    const [, , , fourth = 0, fifth = 0, end = 0] = begins;
    await flip(path, fourth + APPEND_HEADER_BYTES);
    await flip(path, fifth + 40);
    // Lengths that lead to nothing sound may be wrong themselves.
    assert.deepEqual((await walkOver(path)).slice(3), [['tail', fourth, false]]);
    await flip(path, fifth + 40);
    assert.deepEqual((await walkOver(path)).slice(3), [
      ['damaged', fourth, fifth - fourth],
      ['end', fifth, true],
    ]);
    await flip(path, fourth + APPEND_HEADER_BYTES);
    await flip(path, fifth);
    assert.deepEqual((await walkOver(path)).slice(4), [['damaged', fifth, end - fifth]]);
  });

  it('knows a torn tail from damage, wherever the writer died', async (t) => {
    const { path, begins } = await written(await temporaryDirectory(t));
    const whole = await readFile(path);
    const [, , third = 0, fourth = 0] = begins;
    for (const size of [fourth - 1, third + APPEND_HEADER_BYTES, third + 5, third + 1]) {
      await truncate(path, size);
      assert.deepEqual((await walkOver(path)).slice(2), [['tail', third, true]], `${size} bytes`);
      await writeFile(path, whole);
    }
    for (const zeros of [10, 48, 5000]) {
      await writeFile(path, Buffer.concat([whole.subarray(0, third), Buffer.alloc(zeros)]));
      assert.deepEqual((await walkOver(path)).slice(2), [['tail', third, true]]);
    }
    for (const rubbish of ['x', 'BCAR', 'y'.repeat(100)]) {
      await writeFile(path, Buffer.concat([whole.subarray(0, third), Buffer.from(rubbish)]));
      assert.deepEqual((await walkOver(path)).slice(2), [['tail', third, false]]);
    }
  });

  it('reads no more than there is, whatever lengths a header claims', async (t) => {
    const { path, begins } = await written(await temporaryDirectory(t));
    const [, , third = 0] = begins;
    for (const claim of [2n ** 32n, 2n ** 53n - 1n, 2n ** 64n - 1n]) {
      const file = await open(path, 'r+');
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(claim);
      await file.write(bytes, 0, 8, third + 16);
      await file.close();
      const told = await walkOver(path);
      assert.deepEqual([told.length, told.at(-1)?.[0]], [3, 'tail']);
    }
  });
});
