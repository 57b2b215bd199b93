/**
 * Temporary directories for tests, removed when the test that made them ends.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Cleanable {
  after(cleanUp: () => Promise<void>): void;
}

export async function temporaryDirectory(test: Cleanable): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'bigcache-test-'));
  test.after(() => rm(path, { recursive: true, force: true }));
  return path;
}
