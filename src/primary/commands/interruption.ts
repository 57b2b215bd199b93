/**
 * SIGINT and SIGTERM while a command runs: noted, so that it stops at the next place where it can.
 */

export interface Interruption {
  /** Whether the command was asked to stop. */
  readonly requested: boolean;
  /** Ends the watch. */
  end(): void;
}

export function watchInterruption(): Interruption {
  let requested = false;
  const note = (): void => {
    requested = true;
  };
  process.on('SIGINT', note).on('SIGTERM', note);
  return {
    get requested() {
      return requested;
    },
    end: () => process.off('SIGINT', note).off('SIGTERM', note),
  };
}
