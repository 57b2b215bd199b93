/**
 * What the hand says of itself, for logs and statistics of the primary.
 */
import type { Pass } from './pass.ts';

/** The figures are those of the pass or round under way, else 0. */
export interface HandProgress {
  readonly state: 'idle' | 'purging' | 'round';
  /** Purges that are being worked off. */
  readonly purges: number;
  readonly scanned: number;
  readonly removed: number;
  /** How much is done, from 0 to 1, by the size of the index; roughly. */
  readonly share: number;
  readonly startedAtMs: number;
}

const IDLE: HandProgress = {
  state: 'idle',
  purges: 0,
  scanned: 0,
  removed: 0,
  share: 0,
  startedAtMs: 0,
};

export function progressOf(pass: Pass | undefined): HandProgress {
  if (pass === undefined) return IDLE;
  const { covered, scanned, removed, share, startedAtMs } = pass;
  const state = pass.isRound ? 'round' : 'purging';
  return { state, purges: covered.length, scanned, removed, share, startedAtMs };
}
