/**
 * Why a command ends before its work is done, and with which exit code. The front door prints the
 * message as one line on stderr.
 */

/** The command line cannot be understood: exit code 2. */
export class UsageError extends Error {
  readonly exitCode = 2;

  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** The command was understood and cannot be carried out here: exit code 1. */
export class CannotRunError extends Error {
  readonly exitCode: number = 1;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CannotRunError';
  }
}

/** Exit code of a command that was interrupted (128 + SIGINT). */
export const INTERRUPTED = 130;

/** The command was interrupted by SIGINT or SIGTERM: exit code 130. */
export class InterruptedError extends CannotRunError {
  override readonly exitCode = INTERRUPTED;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'InterruptedError';
  }
}
