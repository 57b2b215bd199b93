/** What the primary counts of leases. */

/** `held` and `waiting` are as of now, the others since the store was opened. */
export interface LeaseCounts {
  readonly held: number;
  readonly waiting: number;
  /** Leases that were given in all. */
  readonly given: number;
  /** Of those, how many went to one who waited. */
  readonly handedOver: number;
  /** Writes with a token that came too late. */
  readonly lost: number;
  /** Callers who got neither lease nor wait, since there were too many. */
  readonly refused: number;
}
