/**
 * What a command placed on the disk, in words.
 */
import type { Placed } from '../store/backup/file-placer.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** A number of bytes for people: `12.3 MiB`. */
export function inBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** `4 linked (1.0 GiB), 1 copied (12.0 MiB)`. */
export function placedText({ linkedFiles, linkedBytes, copiedFiles, copiedBytes }: Placed): string {
  return (
    `${linkedFiles} linked (${inBytes(linkedBytes)}), ` +
    `${copiedFiles} copied (${inBytes(copiedBytes)})`
  );
}
