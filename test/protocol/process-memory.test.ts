/** What a process says of its memory, also where it has no descriptor left to look. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryFigures } from '../../src/protocol/process-memory.ts';

const failing = (code: string) => (): never => {
  throw Object.assign(new Error(code), { code });
};

describe('the memory of a process', () => {
  it('is that of the last time where no descriptor is left to look at it', () => {
    const before = memoryFigures();
    assert.ok(before.rssBytes > 0 && before.heapUsedBytes > 0);
    assert.deepEqual(memoryFigures(undefined, failing('EMFILE')), before);
    assert.deepEqual(memoryFigures(undefined, failing('ENFILE')), before);
  });

  it('is a failure for every other reason', () => {
    assert.throws(() => memoryFigures(undefined, failing('EACCES')), { code: 'EACCES' });
  });
});
