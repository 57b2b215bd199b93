/**
 * Changes that are made only where something holds of what is in the index. What was seen may be another
 * by the time of the change; then it is looked at again.
 */
import { BigCacheError } from '../protocol/errors.ts';

/** What must stand in the index: nothing that could be shown, or exactly this version. */
export type CommitCondition = typeof ABSENT | number;

/** Versions begin above it. */
export const ABSENT = 0;

/** Says what the change must find, when it is about to be made. May throw to refuse it. */
export type CommitGuard = () => Promise<CommitCondition>;

/** A key that is overwritten this often in between is not the one that the guard speaks of. */
const ATTEMPTS_MAX = 8;

/** Makes `change` under what `guard` says. Rejects with what either throws, or PRECONDITION_FAILED. */
export async function guarded<T>(
  guard: CommitGuard,
  change: (condition: CommitCondition) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const condition = await guard();
    try {
      return await change(condition);
    } catch (error) {
      const isRace = error instanceof BigCacheError && error.code === 'PRECONDITION_FAILED';
      if (!isRace || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}
