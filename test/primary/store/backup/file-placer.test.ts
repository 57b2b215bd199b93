/** Files are linked where that is possible, copied where it is not, and an error is never passed over. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { FilePlacer } from '../../../../src/primary/store/backup/file-placer.ts';
import { RateLimit } from '../../../../src/primary/store/space/rate-limit.ts';
import { temporaryDirectory } from '../../../temporary-directory.ts';

const failing = (code: string) => async (): Promise<void> => {
  throw Object.assign(new Error(code), { code });
};

async function placing(
  t: Parameters<typeof temporaryDirectory>[0],
  link?: (source: string, target: string) => Promise<void>,
) {
  const home = await temporaryDirectory(t);
  const content = randomBytes(2_500_000);
  const source = join(home, 'source');
  await writeFile(source, content);
  const command = new AbortController();
  const placer = new FilePlacer({
    pace: new RateLimit(1e12),
    signal: command.signal,
    ...(link === undefined ? {} : { link }),
  });
  return { placer, source, content, target: join(home, 'target'), command };
}

describe('a file', () => {
  it('gets a second name where the file system allows it', async (t) => {
    const { placer, source, target, content } = await placing(t);
    await placer.place(source, target);
    assert.equal((await stat(target)).ino, (await stat(source)).ino);
    assert.deepEqual([placer.placed.linkedFiles, placer.placed.linkedBytes], [1, content.length]);
  });

  for (const code of ['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP']) {
    it(`is copied where a link fails with ${code}`, async (t) => {
      const { placer, source, target, content } = await placing(t, failing(code));
      await placer.place(source, target);
      assert.notEqual((await stat(target)).ino, (await stat(source)).ino);
      assert.deepEqual(await readFile(target), content);
      assert.deepEqual([placer.placed.copiedFiles, placer.placed.copiedBytes], [1, content.length]);
    });
  }

  it('is not copied where a link fails for another reason', async (t) => {
    const { placer, source, target } = await placing(t, failing('EIO'));
    await assert.rejects(placer.place(source, target), { code: 'EIO' });
    assert.ok(!existsSync(target));
  });

  it('is copied up to a length, whatever is appended', async (t) => {
    const { placer, source, target, content } = await placing(t);
    await appendFile(source, 'later');
    await placer.copy(source, target, content.length - 7);
    assert.deepEqual(await readFile(target), content.subarray(0, content.length - 7));
  });

  it('never takes the place of another', async (t) => {
    for (const link of [undefined, failing('EXDEV')]) {
      const { placer, source, target } = await placing(t, link);
      await writeFile(target, 'mine');
      await assert.rejects(placer.place(source, target), { code: 'EEXIST' });
      assert.equal(await readFile(target, 'utf8'), 'mine');
    }
  });

  it('is left alone once the work is cancelled', async (t) => {
    const { placer, source, target, command } = await placing(t);
    command.abort(new Error('enough'));
    await assert.rejects(placer.place(source, target), /enough/);
    assert.ok(!existsSync(target));
  });
});
