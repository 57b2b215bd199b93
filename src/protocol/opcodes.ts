/**
 * The operations of the channel. Codes are on the wire: never renumber, never reuse.
 * docs/protocol.md describes each.
 */

/** Grows whenever an operation changes its meaning; both ends must be of one version. */
export const PROTOCOL_VERSION = 7;

export const Opcode = {
  // Answers, both ways.
  reply: 0,
  failure: 1,
  // A worker's life, from the worker.
  hello: 2,
  ready: 3,
  report: 4,
  awaitStore: 5,
  reportHits: 6,
  // A worker's life, from the primary.
  drain: 8,
  collect: 9,
  sealAll: 10,
  dropSegment: 11,
  retireSegment: 12,
  access: 13,
  dropRecords: 14,
  evenShare: 15,
  // The store, from the worker.
  get: 16,
  put: 17,
  delete: 18,
  dropDamaged: 19,
  deletePrefix: 20,
  clear: 21,
  count: 22,
  close: 23,
  open: 24,
  grantSegment: 25,
  sealSegment: 26,
  sumCounters: 27,
  checkWritable: 28,
  extendSegment: 29,
  // Leases; granted and settled come from the primary, the others from the worker.
  checkLease: 39,
  lease: 40,
  putLeased: 41,
  releaseLease: 42,
  leaveLease: 43,
  leaseGranted: 44,
  leaseSettled: 45,
  reportSavings: 46,
  // 47 was sumLeases.
  // Purges, and what became of a key, from the worker.
  purge: 48,
  purgeReport: 49,
  explain: 50,
  // Single entries and the listing of them, from the worker.
  touch: 56,
  increment: 57,
  listEntries: 58,
  // Statistics, from the worker.
  reportTally: 64,
  sumStatistics: 65,
} as const;

export type OpcodeName = keyof typeof Opcode;
export type OpcodeValue = (typeof Opcode)[OpcodeName];

const nameByOpcode = new Map<number, OpcodeName>(
  (Object.keys(Opcode) as OpcodeName[]).map((name) => [Opcode[name], name]),
);

/** The name of an opcode, for log lines; undefined for a number that is none. */
export function opcodeName(opcode: number): OpcodeName | undefined {
  return nameByOpcode.get(opcode);
}
