/**
 * What can go wrong with a segment: damage (the bytes are not those that were written) and faults of
 * the system. Damage drops an entry; a fault never does.
 */
import { BigCacheError } from '../protocol/errors.ts';

/** The body is not there, or not as it was written. */
export class SegmentDamage extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SegmentDamage';
  }
}

/** The process or the system has no descriptor or memory to spare at the moment. */
const SHORTAGES = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** The operating error for a failed system call on a segment. */
export function toStoreError(error: unknown): Error {
  if (error instanceof BigCacheError || error instanceof SegmentDamage) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined) return error as Error;
  return NO_ROOM.has(code)
    ? new BigCacheError('DISK_FULL', undefined, { cause: error })
    : new BigCacheError('STORE_FAILED', undefined, { cause: error });
}

/** Whether a call failed for a reason that passes and says nothing about the disk. */
export function isShortage(error: unknown): boolean {
  return SHORTAGES.has((error as NodeJS.ErrnoException).code ?? '');
}
