/**
 * Directories for tests. They are removed when the process of the test file ends: the hooks of a test run
 * in the order in which they were registered, so a directory would go before what still works in it.
 */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Cleanable {
  after(cleanUp: () => Promise<void>): void;
}

const made: string[] = [];

process.on('exit', () => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

/** A new directory for a test. */
export async function temporaryDirectory(_test: Cleanable): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'bigcache-test-'));
  made.push(path);
  return path;
}
