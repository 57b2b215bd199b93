/** Reading a file in big pieces gives the same bytes as reading it at once. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FileWindow } from '../../src/segments/file-window.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const FILE_BYTES = 10_000;

describe('a window over a file', () => {
  it('gives the bytes asked for, fewer at the end of the file, in whatever order', async (t) => {
    const path = join(await temporaryDirectory(t), 'file');
    const content = randomBytes(FILE_BYTES);
    await writeFile(path, content);
    const file = await open(path, 'r');
    const reads = fc.array(fc.tuple(fc.nat(FILE_BYTES + 500), fc.nat(1000)), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1000, max: 12_000 }), reads, async (bytes, asked) => {
        const window = new FileWindow(file, bytes);
        for (const [at, length] of asked) {
          assert.deepEqual(await window.read(at, length), content.subarray(at, at + length));
        }
      }),
    );
    await file.close();
  });
});
