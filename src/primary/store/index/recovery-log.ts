/**
 * What LevelDB writes down about damage and says nowhere else: into its text file `index/LOG`, which
 * it begins anew at each open. Read by the primary: right after an open for what the recovery of the
 * logs dropped, and before one for what went wrong while the index was last in use.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';

const MiB = 1024 * 1024;
/** Recovery comes first in the file, and drops at most each block of 32 KiB of a log once. */
const HEAD_BYTES_MAX = 4 * MiB;
const TAIL_BYTES_MAX = 256 * 1024;

/** What the recovery of one open could not read. */
export interface DroppedChanges {
  /** How often something was dropped. */
  readonly drops: number;
  readonly bytes: number;
  /** The names of the logs it was dropped from, as far as LevelDB says. */
  readonly logs: readonly string[];
}

/** `(ignoring error) /data/index/000012.log: dropping 1234 bytes; Corruption: checksum mismatch` */
const DROP = /(?:^|[ /])(\d+\.log): dropping (\d+) bytes;/;
/** A record of the log that is whole and makes no sense. */
const IGNORED = /Ignoring error /;
const BROKEN_COMPACTION = /[Cc]ompaction error: Corruption/;

/** What LevelDB dropped, in the words of its LOG. */
export function parseDrops(text: string): DroppedChanges {
  const logs = new Set<string>();
  let drops = 0;
  let bytes = 0;
  for (const line of text.split('\n')) {
    const [, log, dropped] = DROP.exec(line) ?? [];
    if (log !== undefined) {
      logs.add(log);
      bytes += Number(dropped);
    } else if (!IGNORED.test(line)) continue;
    drops += 1;
  }
  return { drops, bytes, logs: [...logs] };
}

/** What the last open of the index dropped. REQUIRES: no other has been made since. */
export async function readDrops(indexPath: string): Promise<DroppedChanges> {
  return parseDrops(await readPart(indexPath, 'head'));
}

/** Whether LevelDB found a table damaged while it last had the index open. */
export async function hadBrokenCompaction(indexPath: string): Promise<boolean> {
  return BROKEN_COMPACTION.test(await readPart(indexPath, 'tail'));
}

/** A bounded part of the LOG; empty when there is none. It may be cut in the middle of a line. */
async function readPart(indexPath: string, part: 'head' | 'tail'): Promise<string> {
  let file: FileHandle;
  try {
    file = await open(join(indexPath, 'LOG'), 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
  try {
    const { size } = await file.stat();
    const bytes = Math.min(size, part === 'head' ? HEAD_BYTES_MAX : TAIL_BYTES_MAX);
    const buffer = Buffer.alloc(bytes);
    const { bytesRead } = await file.read(buffer, 0, bytes, part === 'head' ? 0 : size - bytes);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
