/**
 * Sizes as reports show them to people.
 */

const UNITS = ['kB', 'MB', 'GB', 'TB'] as const;

/** `812 B`, `1.3 MB`: three digits or so, powers of 1,000. */
export function showBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  let value = bytes;
  let unit = -1;
  // 999.95 would be shown as 1000.0.
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(1)} ${UNITS[unit] ?? 'B'}`;
}
