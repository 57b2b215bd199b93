import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Progress, type ProgressOptions } from '../../../src/primary/commands/progress.ts';

function shown(
  isTTY: boolean,
  steps: [atMs: number, share: number, count: number][],
  options: ProgressOptions = {},
): string[] {
  const texts: string[] = [];
  let nowMs = 0;
  const output = { isTTY, write: (text: string) => void texts.push(text) };
  const progress = new Progress(output, { ...options, now: () => nowMs });
  for (const [atMs, share, count] of steps) {
    nowMs = atMs;
    progress.show(share, count);
  }
  progress.end();
  return texts;
}

describe('the progress of a long command', () => {
  it('is a line written anew on a terminal, cleared at the end', () => {
    assert.deepEqual(
      shown(true, [
        [1000, 0.5, 2000],
        [1050, 0.6, 2100],
        [1100, 1, 4400],
      ]),
      [
        '\r\u001b[K[###############...............]  50 %  2000 entries  2000/s',
        '\r\u001b[K[##############################] 100 %  4400 entries  4000/s',
        '\r\u001b[K',
      ],
    );
  });

  it('is a plain line every few seconds elsewhere', () => {
    assert.deepEqual(
      shown(false, [
        [1000, 0.07, 100],
        [4000, 0.2, 400],
        [6000, 0.3, 600],
      ]),
      ['7 %  100 entries  100/s\n', '30 %  600 entries  100/s\n'],
    );
  });

  it('says what is being done and counts in other units, sizes among them', () => {
    const steps: [number, number, number][] = [[2000, 0.5, 3 * 1024 ** 2]];
    assert.deepEqual(shown(false, steps, { label: 'segments', unit: 'bytes' }), [
      'segments  50 %  3.0 MiB  1.5 MiB/s\n',
    ]);
    assert.deepEqual(shown(true, [[2000, 0.5, 30]], { label: 'purges', unit: 'records' }), [
      '\r\u001b[Kpurges  [###############...............]  50 %  30 records  15/s',
      '\r\u001b[K',
    ]);
  });
});
