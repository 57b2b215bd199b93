/** The named workloads: what is asked for, of which keys, and for how long. */

export interface Workload {
  readonly name: string;
  readonly method: 'GET' | 'POST';
  /** hot: few keys again and again. cold: each key once. missing: never stored. new: never twice. */
  readonly keys: 'hot' | 'cold' | 'missing' | 'new';
  readonly isConnectionPerRequest: boolean;
}

/** Keys that `read-hot`, `overwrite` and `connection-per-request` go round in. */
export const HOT_ENTRIES = 1000;
/** `read-cold` reads this many entries for each second of `--seconds`. */
export const COLD_ENTRIES_PER_SECOND = 1000;

export const WORKLOADS: readonly Workload[] = [
  { name: 'read-hot', method: 'GET', keys: 'hot', isConnectionPerRequest: false },
  { name: 'read-cold', method: 'GET', keys: 'cold', isConnectionPerRequest: false },
  { name: 'read-missing', method: 'GET', keys: 'missing', isConnectionPerRequest: false },
  { name: 'write-new', method: 'POST', keys: 'new', isConnectionPerRequest: false },
  { name: 'overwrite', method: 'POST', keys: 'hot', isConnectionPerRequest: false },
  { name: 'connection-per-request', method: 'GET', keys: 'hot', isConnectionPerRequest: true },
];
