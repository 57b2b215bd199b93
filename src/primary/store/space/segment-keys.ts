/**
 * The keys that a segment file holds or has held, in the order in which they were written: for the
 * log of what is evicted with it.
 */
import { join } from 'node:path';
import { scanAppends } from '../../../segments/append-scan.ts';
import { segmentFileName } from '../../../segments/format.ts';

const KEYS_AT_A_TIME = 512;

/** Ends where the file is damaged. Throws what the system answers when it cannot be read. */
export async function* keysIn(segmentsPath: string, segment: number): AsyncGenerator<string[]> {
  let keys: string[] = [];
  for await (const { key } of scanAppends(join(segmentsPath, segmentFileName(segment)))) {
    keys.push(key);
    if (keys.length < KEYS_AT_A_TIME) continue;
    yield keys;
    keys = [];
  }
  if (keys.length > 0) yield keys;
}
