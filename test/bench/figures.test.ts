/** What the benchmark reads from /proc, how it shares connections, and how it lays out a table. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { equalShares, isLopsided, surplusOf } from '../../bench/balance.ts';
import { filesystemType } from '../../bench/filesystem.ts';
import { cpuUsOf, figuresOf, numberOf } from '../../bench/process-figures.ts';
import { renderTable } from '../../bench/table.ts';

describe('the figures of a process', () => {
  it('are user and system time, also where the command looks like fields', () => {
    const stat = '12 (a) b (c 1 2) S 1 1 1 0 -1 0 9 9 9 9 150 25 7 7 20 0 11';
    assert.equal(cpuUsOf(stat), 1_750_000);
  });

  it('are read by name', () => {
    assert.equal(numberOf('read_bytes: 5\nwrite_bytes: 4096\n', 'write_bytes'), 4096);
    assert.throws(() => numberOf('read_bytes: 5\n', 'write_bytes'));
  });

  it('are those of a living one', () => {
    const figures = figuresOf(process.pid);
    assert.ok(figures.anonymousBytes > 1024 ** 2);
    assert.ok(figures.cpuUs > 0);
  });
});

describe('the filesystem of a path', () => {
  const MOUNTS = [
    '21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw',
    '22 21 0:20 / /tmp rw - tmpfs tmpfs rw,size=1k',
    '23 21 0:21 / /with\\040space rw - xfs /dev/vdb rw',
    '',
  ].join('\n');

  it('is that of the longest mount point above it', () => {
    assert.equal(filesystemType('/var/tmp', MOUNTS), 'ext4');
    assert.equal(filesystemType('/tmp/a', MOUNTS), 'tmpfs');
    assert.equal(filesystemType('/tmpfile', MOUNTS), 'ext4');
    assert.equal(filesystemType('/with space/a', MOUNTS), 'xfs');
  });
});

describe('shares of connections', () => {
  it('are equal up to the rest', () => {
    assert.deepEqual(equalShares(64, 2), [32, 32]);
    assert.deepEqual(equalShares(7, 3), [3, 2, 2]);
  });

  it('are lopsided above one and a half times the mean', () => {
    assert.equal(isLopsided([48, 16]), false);
    assert.equal(isLopsided([49, 15]), true);
    assert.equal(isLopsided([1, 0]), false);
  });

  it('have a surplus that is closed, and a lack', () => {
    const held = [new Set([1, 2, 3]), new Set([4])];
    assert.deepEqual(surplusOf(held, [2, 2]), { ports: [3], missing: 1 });
    assert.deepEqual(surplusOf(held, [3, 1]), { ports: [], missing: 0 });
  });
});

describe('a table', () => {
  it('is Markdown, with figures aligned right', () => {
    const columns = [
      { title: 'name', align: 'left' },
      { title: 'n', align: 'right' },
    ] as const;
    const lines = renderTable(columns, [
      ['a', '10'],
      ['longer', '9'],
    ]).split('\n');
    assert.deepEqual(lines, [
      '| name   |   n |',
      '| ------ | --: |',
      '| a      |  10 |',
      '| longer |   9 |',
    ]);
  });
});
