/** The number of processors: what the machine has, within the quota of the cgroup. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, it } from 'node:test';
import { processors } from '../../src/protocol/processors.ts';

/** A file system with these files only. */
function files(contents: Record<string, string>): (path: string) => string {
  return (path) => {
    const text = contents[path];
    if (text === undefined) throw new Error(`no ${path}`);
    return text;
  };
}

describe('the number of processors', () => {
  it("is the machine's where no quota is set", () => {
    const all = availableParallelism();
    assert.equal(processors(files({})), all);
    assert.equal(processors(files({ '/sys/fs/cgroup/cpu.max': 'max 100000\n' })), all);
    assert.equal(processors(files({ '/sys/fs/cgroup/cpu.max': 'nonsense' })), all);
    assert.equal(
      processors(
        files({
          '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
          '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
        }),
      ),
      all,
    );
  });

  it('stays within the quota of cgroups, version 2 and 1, rounded up, and at least 1', () => {
    assert.equal(processors(files({ '/sys/fs/cgroup/cpu.max': '50000 100000\n' })), 1);
    assert.equal(
      processors(files({ '/sys/fs/cgroup/cpu.max': '150000 100000\n' })),
      Math.min(2, availableParallelism()),
    );
    assert.equal(
      processors(
        files({
          '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '100000\n',
          '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
        }),
      ),
      1,
    );
  });
});
