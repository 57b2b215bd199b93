/**
 * Why a key has nothing to read. The codes are on the wire: never renumber.
 */

/**
 * `swept`: it has expired, so long ago that nothing of it is left but that. What was deleted, or has been
 * forgotten, counts as never seen.
 */
export const MISS_CODES = {
  'never-seen': 1,
  expired: 2,
  purged: 3,
  evicted: 4,
  swept: 5,
} as const;

export type MissReason = keyof typeof MISS_CODES;
export type MissCode = (typeof MISS_CODES)[MissReason];

const reasonByCode = new Map<unknown, MissReason>(
  (Object.keys(MISS_CODES) as MissReason[]).map((reason) => [MISS_CODES[reason], reason]),
);

/** The reason behind a code, or undefined for anything that is no such code. */
export function missReason(code: unknown): MissReason | undefined {
  return reasonByCode.get(code);
}
