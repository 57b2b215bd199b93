/** The judgement of histories, on histories of which it is known. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeyHistory, type Left } from './key-history.ts';

type Op =
  | { readonly write: Left; readonly from: number; readonly to?: number }
  | { readonly read: number | undefined; readonly from: number; readonly to: number };

function judged(...ops: Op[]): number {
  const history = new KeyHistory('key');
  for (const op of ops) {
    if ('write' in op) {
      const { acknowledged } = history.begin(op.write, op.from);
      if (op.to !== undefined) acknowledged(op.to);
    } else history.read({ version: op.read, beginMs: op.from, endMs: op.to });
  }
  return history.violations().length;
}

describe('a history of one key', () => {
  it('is in order where every read shows what was there at some moment of it', () => {
    assert.equal(
      judged(
        { read: undefined, from: 0, to: 1 },
        { write: 'value', from: 2, to: 10 },
        { read: undefined, from: 3, to: 9 },
        { read: 1, from: 3, to: 4 },
        { read: 1, from: 11, to: 12 },
        { write: 'nothing', from: 13, to: 14 },
        { read: undefined, from: 15, to: 16 },
        { write: 'value', from: 17 },
        { read: undefined, from: 18, to: 19 },
        { read: 3, from: 30, to: 31 },
      ),
      0,
    );
  });

  it('is not where a read shows what was overwritten before it began', () => {
    assert.equal(
      judged(
        { write: 'value', from: 0, to: 1 },
        { write: 'value', from: 2, to: 3 },
        { read: 1, from: 4, to: 5 },
      ),
      1,
    );
  });

  it('is not where a read shows the old after another has shown the new', () => {
    const old = { read: 1, from: 6, to: 7 } as const;
    const fresh = { read: 2, from: 4, to: 5 } as const;
    const writes = [
      { write: 'value', from: 0, to: 1 },
      { write: 'value', from: 2, to: 9 },
    ] as const;
    assert.equal(judged(...writes, fresh, old), 1);
    assert.equal(judged(...writes, { ...fresh, to: 8 }, old), 0, 'they were at the same time');
  });

  it('is not where a read shows what was not written yet, or nothing where all is there', () => {
    assert.equal(judged({ read: 1, from: 0, to: 1 }, { write: 'value', from: 2, to: 3 }), 1);
    assert.equal(
      judged({ write: 'value', from: 0, to: 1 }, { read: undefined, from: 2, to: 3 }),
      1,
    );
  });
});
