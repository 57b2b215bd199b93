/** Medians of rounds. */

/** The middle value, or the mean of the two in the middle. Throws for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  if (upper === undefined || lower === undefined)
    throw new RangeError('there is no median of none');
  return (lower + upper) / 2;
}

/** The median of each place over lists of one length. */
export function mediansByPlace(lists: readonly (readonly number[])[]): number[] {
  const [first = []] = lists;
  return first.map((_, place) => median(lists.map((list) => list[place] ?? 0)));
}
