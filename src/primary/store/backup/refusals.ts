/**
 * What a backup or a restore says when the system refuses a step: one sentence for the person at the
 * command line.
 */
import { BigCacheError } from '../../../protocol/errors.ts';
import { CannotRunError } from '../../exit.ts';

/** Ends a backup or a restore from outside. */
export class Cancelled extends CannotRunError {
  constructor(work: string, why: string) {
    super(`the ${work} was cancelled: ${why}`);
    this.name = 'Cancelled';
  }
}

/**
 * The refusal for what was thrown while `work` wrote to `path`. What is neither an error of the system
 * nor one of LevelDB is a defect and stays as it is.
 */
export function asRefusal(error: unknown, work: string, path: string): unknown {
  if (error instanceof CannotRunError || error instanceof BigCacheError) return error;
  const { code, message, cause } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string') return error;
  const text = cause instanceof Error ? `${message}: ${cause.message}` : message;
  if (code === 'ENOSPC' || code === 'EDQUOT' || /No space left|quota/i.test(text)) {
    return new CannotRunError(`the ${work} needs more room than there is at ${path}`, {
      cause: error,
    });
  }
  return new CannotRunError(`the ${work} failed: ${text.replaceAll(/\s+/g, ' ')}`, {
    cause: error,
  });
}
