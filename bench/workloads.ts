/** The named workloads: what is asked for, of which keys, and for how long. */

export interface Workload {
  readonly name: string;
  readonly method: 'GET' | 'POST';
  /**
   * hot: few keys again and again. cold: each key once. missing: never stored. new: never twice. pages:
   * real HTML again and again.
   */
  readonly keys: 'hot' | 'cold' | 'missing' | 'new' | 'pages';
  readonly isConnectionPerRequest: boolean;
  /** The Accept-Encoding of each request, where it has one. */
  readonly accepts?: 'gzip' | 'identity';
}

/** Keys that `read-hot`, `overwrite` and `connection-per-request` go round in. */
export const HOT_ENTRIES = 1000;
/** `read-cold` reads this many entries for each second of `--seconds`. */
export const COLD_ENTRIES_PER_SECOND = 1000;

export const READ_HOT: Workload = {
  name: 'read-hot',
  method: 'GET',
  keys: 'hot',
  isConnectionPerRequest: false,
};
export const WRITE_NEW: Workload = {
  name: 'write-new',
  method: 'POST',
  keys: 'new',
  isConnectionPerRequest: false,
};
export const CONNECTION_PER_REQUEST: Workload = {
  ...READ_HOT,
  name: 'connection-per-request',
  isConnectionPerRequest: true,
};

/** Pages to clients that accept gzip, and to clients that do not. */
export const PAGES_GZIP: Workload = {
  ...READ_HOT,
  name: 'read-pages-gzip',
  keys: 'pages',
  accepts: 'gzip',
};
export const PAGES_PLAIN: Workload = {
  ...PAGES_GZIP,
  name: 'read-pages-plain',
  accepts: 'identity',
};
/** The runs that are no rounds of one kind of request. */
export const VOLUME = 'write-volume';
export const READ_WHILE_WRITING = 'read-while-writing';

/** The names in tables and targets. */
export const SERVERS = {
  bigcache: 'bigcache',
  withoutHeldRecords: 'bigcache, no held records',
  withoutHotBodies: 'bigcache, no hot bodies',
  uncompressed: 'bigcache, uncompressed',
  idle: 'bigcache, nothing written',
  writing: 'bigcache, half speed writes',
  bare: 'bare',
  fastapi: 'FastAPI + plyvel',
  plainFastapi: 'FastAPI + plyvel, plain uvicorn',
  nginx: 'nginx',
  webdis: 'webdis + Redis',
} as const;

/** Those of `npm run bench`. */
export const WORKLOADS: readonly Workload[] = [
  READ_HOT,
  { name: 'read-cold', method: 'GET', keys: 'cold', isConnectionPerRequest: false },
  { name: 'read-missing', method: 'GET', keys: 'missing', isConnectionPerRequest: false },
  WRITE_NEW,
  { name: 'overwrite', method: 'POST', keys: 'hot', isConnectionPerRequest: false },
  CONNECTION_PER_REQUEST,
];
