/**
 * The refusal of a store that is damaged, as opposed to one that is in use, unreadable to this user,
 * newer, or not ours. What `--on-corruption fresh` begins anew is this, and nothing else.
 */
import { CannotRunError } from '../exit.ts';

export class DamagedStoreError extends CannotRunError {
  /** What is damaged, without advice. */
  readonly what: string;

  constructor(what: string, options?: ErrorOptions) {
    super(
      `${what}; nothing was changed: put it back from a backup, make a new index with ` +
        '`bigcache rebuild`, or begin empty with --on-corruption fresh',
      options,
    );
    this.name = 'DamagedStoreError';
    this.what = what;
  }
}
