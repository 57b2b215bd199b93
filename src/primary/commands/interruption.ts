/**
 * SIGINT and SIGTERM while a command runs: the first is noted, so that the command stops at the next
 * place where it can; a second one ends the process at once, as it would any program.
 */
import { InterruptedError } from '../exit.ts';

export interface Interruption {
  /** Whether the command was asked to stop. */
  readonly requested: boolean;
  /** Aborted, with the reason of the watch, when the command is asked to stop. */
  readonly signal: AbortSignal;
  /** Ends the watch. */
  end(): unknown;
}

/** `message` says what has become of the work that was interrupted. */
export function watchInterruption(message = 'the command was interrupted'): Interruption {
  const interruption = new AbortController();
  const { signal } = interruption;
  const end = (): unknown => process.off('SIGINT', note).off('SIGTERM', note);
  const note = (): void => {
    end();
    interruption.abort(new InterruptedError(message));
  };
  process.on('SIGINT', note).on('SIGTERM', note);
  return {
    get requested() {
      return signal.aborted;
    },
    signal,
    end,
  };
}
