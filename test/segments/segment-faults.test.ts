/** What becomes of writes to a segment when the file can grow no further. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BigCacheError } from '../../src/protocol/errors.ts';
import { SegmentDamage, toStoreError } from '../../src/segments/faults.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const MiB = 1024 * 1024;
const WRITER = fileURLToPath(new URL('./file-size-limit.ts', import.meta.url));

describe('when a segment can grow no further', () => {
  it('appends fail with DISK_FULL, its log gives it up after its last commit and goes on', async (t) => {
    const directory = await temporaryDirectory(t);
    const limited = 'ulimit -f 2048 && exec "$0" --import tsx "$1" "$2"';
    const args = ['-c', limited, process.execPath, WRITER, directory];
    const { stdout } = await promisify(execFile)('bash', args, { timeout: 30_000 });
    assert.deepEqual(JSON.parse(stdout), {
      fits: 'written',
      atOnce: ['DISK_FULL', 'DISK_FULL'],
      afterwards: 'DISK_FULL',
      overwritten: 'DISK_FULL',
      hasFailed: true,
      refused: ['DISK_FULL', 'DISK_FULL'],
      segments: [1, 2],
      sealedBeforeSettle: [],
      sealedAfterSettle: [1],
      sealed: [1, 2],
      longest: 2 * MiB,
    });
  });
});

describe('a failed system call', () => {
  const failed = (code: string): Error => Object.assign(new Error(code), { code });
  const codeOf = (error: Error): string =>
    error instanceof BigCacheError ? error.code : `no operating error: ${error.message}`;

  it('is DISK_FULL where there is no room, else STORE_FAILED, and keeps its cause', () => {
    for (const code of ['ENOSPC', 'EDQUOT', 'EFBIG']) {
      assert.equal(codeOf(toStoreError(failed(code))), 'DISK_FULL');
    }
    for (const code of ['EIO', 'EMFILE', 'ENOMEM', 'EACCES']) {
      const cause = failed(code);
      assert.equal(codeOf(toStoreError(cause)), 'STORE_FAILED');
      assert.equal(toStoreError(cause).cause, cause);
    }
  });

  it('is told from damage, from operating errors and from defects, which pass unchanged', () => {
    const others = [
      new SegmentDamage('short'),
      new BigCacheError('OVERLOADED'),
      new TypeError('a defect'),
    ];
    for (const error of others) assert.equal(toStoreError(error), error);
  });
});
