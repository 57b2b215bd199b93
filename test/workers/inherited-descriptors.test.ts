/** Descriptors that a worker inherited: those of the index are closed, all others stay. */
import assert from 'node:assert/strict';
import { closeSync, fstatSync, mkdirSync, openSync, statSync, writeFileSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { closeInherited } from '../../src/workers/inherited-descriptors.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

/** Whether `fd` is open on the file at `path`. */
function isOpenOn(fd: number, path: string): boolean {
  try {
    return fstatSync(fd).ino === statSync(path).ino;
  } catch {
    return false;
  }
}

describe('what a worker inherited', () => {
  const skip = process.platform !== 'linux' && 'only Linux shows descriptors under /proc';

  it('is closed where it points into the index, and only there', { skip }, async (t) => {
    const directory = await realpath(await temporaryDirectory(t));
    const files = ['index/000003.log', 'index/LOG', 'index-beside', 'segments/1'].map((name) => {
      mkdirSync(join(directory, name, '..'), { recursive: true });
      const path = join(directory, name);
      writeFileSync(path, name);
      return { path, fd: openSync(path, 'r+') };
    });
    assert.equal(closeInherited(join(directory, 'index')), 2);
    assert.deepEqual(
      files.map(({ fd, path }) => isOpenOn(fd, path)),
      [false, false, true, true],
    );
    assert.equal(closeInherited(join(directory, 'index')), 0);
    for (const { fd } of files.slice(2)) closeSync(fd);
  });

  it('is left alone where a system does not show it', async (t) => {
    const directory = await temporaryDirectory(t);
    const file = join(directory, 'file');
    writeFileSync(file, 'x');
    const fd = openSync(file, 'r');
    assert.equal(closeInherited(directory, join(directory, 'no such place')), 0);
    assert.ok(isOpenOn(fd, file));
    closeSync(fd);
  });
});
