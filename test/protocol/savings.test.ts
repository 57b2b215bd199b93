/** What hits have saved, in total and by the first path segment. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSavingsList, Savings } from '../../src/protocol/savings.ts';

describe('savings', () => {
  it('are hits times cost, by the first segment of the path', () => {
    const savings = new Savings();
    savings.noteHit('shop/1', 100);
    savings.noteHit('shop/2?q=/x', 50);
    savings.noteHit('shop', 1);
    savings.noteHit('home?a/b', 7);
    savings.noteHit('free', 0);
    assert.deepEqual(savings.total, { hits: 4, savedMs: 158 });
    assert.deepEqual(
      [...savings.bySegment],
      [
        ['shop', { hits: 3, savedMs: 151 }],
        ['home', { hits: 1, savedMs: 7 }],
      ],
    );
  });

  it('name 100 segments and count the rest together, long names too', () => {
    const savings = new Savings();
    for (let nth = 0; nth < 250; nth++) savings.noteHit(`s${nth}/x`, 2);
    savings.noteHit(`${'long'.repeat(20)}/x`, 2);
    savings.noteHit('other/x', 2);
    assert.equal(savings.bySegment.size, 101);
    assert.deepEqual(savings.bySegment.get('other'), { hits: 152, savedMs: 304 });
    assert.deepEqual(savings.total, { hits: 252, savedMs: 504 });
    assert.ok(isSavingsList(savings.toList()));
  });

  it('cross the channel and add up', () => {
    const one = new Savings();
    one.noteHit('a/1', 5);
    const other = Savings.fromList(one.toList());
    other.addAll(one);
    other.noteHit('b', 1);
    assert.deepEqual(other.toList(), ['a', 2, 10, 'b', 1, 1]);
    assert.deepEqual(other.total, { hits: 3, savedMs: 11 });
  });

  it('are read from nothing else than such a list', () => {
    const endless = Array.from({ length: 102 }, (_, nth) => [`s${nth}`, 1, 1]).flat();
    for (const list of [
      undefined,
      'a',
      ['a', 1],
      ['a', -1, 1],
      [1, 1, 1],
      ['a', 1, 0.5],
      endless,
    ]) {
      assert.equal(isSavingsList(list), false);
      assert.deepEqual(Savings.fromList(list).total, { hits: 0, savedMs: 0 });
    }
  });
});
