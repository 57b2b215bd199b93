/**
 * What each worker would hold if all held as much; the primary tells them, so that those with too many
 * connections give some up.
 */

/** At least the mean of `counts`: what cannot be shared any further is no surplus. */
export function evenShare(counts: readonly number[]): number {
  if (counts.length === 0) return 0;
  return Math.ceil(counts.reduce((sum, count) => sum + count, 0) / counts.length);
}
