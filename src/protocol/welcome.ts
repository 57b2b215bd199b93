/**
 * What the primary tells a worker in answer to its hello.
 */
import type { Access } from './access.ts';
import type { Config } from './config.ts';

export interface Welcome {
  readonly config: Config;
  /** Who may do what; what is read later comes by `access`. */
  readonly access: Access;
  readonly segmentsPath: string;
  /** The worker's number, used as the writer of its segments; never given twice in one run. */
  readonly writer: number;
  /** The version of the package. */
  readonly version: string;
}
