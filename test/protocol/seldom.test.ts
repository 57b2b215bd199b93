/** Log lines that one cause would write many times. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Seldom } from '../../src/protocol/seldom.ts';

describe('what is told seldom', () => {
  it('passes once in a while, with how many were held back', () => {
    let nowMs = 0;
    const seldom = new Seldom(1000, () => nowMs);
    assert.equal(seldom.pass(), 0);
    assert.equal(seldom.pass(), undefined);
    nowMs = 999;
    assert.equal(seldom.pass(), undefined);
    nowMs = 1000;
    assert.equal(seldom.pass(), 2);
    nowMs = 2000;
    assert.equal(seldom.pass(), 0);
  });
});
