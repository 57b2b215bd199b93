/**
 * SIGINT and SIGTERM while a command runs: noted, so that it stops at the next place where it can.
 */

export interface Interruption {
  /** Whether the command was asked to stop. */
  readonly requested: boolean;
  /** Aborted, with the reason of the watch, when the command is asked to stop. */
  readonly signal: AbortSignal;
  /** Ends the watch. */
  end(): void;
}

export function watchInterruption(reason?: Error): Interruption {
  const interruption = new AbortController();
  const { signal } = interruption;
  const note = (): void => interruption.abort(reason);
  process.on('SIGINT', note).on('SIGTERM', note);
  return {
    get requested() {
      return signal.aborted;
    },
    signal,
    end: () => process.off('SIGINT', note).off('SIGTERM', note),
  };
}
