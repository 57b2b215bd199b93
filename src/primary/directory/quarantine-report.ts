/**
 * Says at the start what lies in quarantine, since nothing there is ever removed but by a person.
 */
import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';

/** So that a start is not held up by what nobody reads. */
const FILES_MAX = 10_000;

/** Tells the log how much there is; nothing when there is nothing. */
export async function reportQuarantine(quarantinePath: string, log: Logger): Promise<void> {
  let files = 0;
  let bytes = 0;
  const directory = await opendir(quarantinePath, { recursive: true });
  for await (const entry of directory) {
    if (!entry.isFile()) continue;
    if (files === FILES_MAX) break;
    files += 1;
    bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  }
  if (files === 0) return;
  const atLeast = files === FILES_MAX ? 'at least ' : '';
  log.warn(
    { quarantine: quarantinePath, files, bytes },
    `quarantine holds ${atLeast}${files} files of ${bytes} bytes; the server never reads or removes them`,
  );
}
