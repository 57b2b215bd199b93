/**
 * The composition root of the running server: directory, index, workers, signals.
 */
import type { Config } from '../protocol/config.ts';

/** Runs the server until it is asked to stop. Resolves with the exit code. */
export async function serve(_config: Config): Promise<number> {
  return 0;
}
