/**
 * Sizes as reports show them to people.
 */

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `812 B`, `12.3 MiB`: powers of 1,024, as the options take them. */
export function showBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes;
  let unit = -1;
  // 1023.95 would be shown as 1024.0.
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(1)} ${UNITS[unit] ?? 'B'}`;
}
