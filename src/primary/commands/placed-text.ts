/**
 * What a command placed on the disk, in words.
 */
import type { Placed } from '../store/backup/file-placer.ts';
import { showBytes } from './sizes.ts';

/** `4 linked (1.0 GiB), 1 copied (12.0 MiB)`. */
export function placedText({ linkedFiles, linkedBytes, copiedFiles, copiedBytes }: Placed): string {
  return (
    `${linkedFiles} linked (${showBytes(linkedBytes)}), ` +
    `${copiedFiles} copied (${showBytes(copiedBytes)})`
  );
}
