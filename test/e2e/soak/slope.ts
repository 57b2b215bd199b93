/** How fast a figure grows that was looked at again and again. */

export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

const MINUTE_MS = 60_000;

/** The slope of the line that lies closest to all samples (least squares), for each minute. */
export function slopePerMinute(samples: readonly Sample[]): number {
  const count = samples.length;
  if (count < 2) throw new RangeError('a slope needs two samples');
  const meanOf = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / count;
  const [meanMs, mean] = [meanOf(({ atMs }) => atMs), meanOf(({ value }) => value)];
  let [products, squares] = [0, 0];
  for (const { atMs, value } of samples) {
    products += (atMs - meanMs) * (value - mean);
    squares += (atMs - meanMs) ** 2;
  }
  return (products / squares) * MINUTE_MS;
}
