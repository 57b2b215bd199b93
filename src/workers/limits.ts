/**
 * The limits that every HTTP worker puts on its clients, beside those that are options. Tests pass
 * smaller ones.
 */

/** Sizes are bytes, times milliseconds. */
export interface Limits {
  /** Request line and headers together. */
  readonly headBytesMax: number;
  readonly headerCountMax: number;
  readonly headersTimeoutMs: number;
  /** How often Node looks for connections whose headers are late. */
  readonly connectionsCheckMs: number;
  /** Longer than nginx (75 s) and the load balancers of clouds (60 s) keep theirs. */
  readonly keepAliveTimeoutMs: number;
  /** An upload that brings nothing for this long is cut. */
  readonly bodyStallMs: number;
  /** An upload that brings less than `bodyWindowBytesMin` in each such window is cut. */
  readonly bodyWindowMs: number;
  readonly bodyWindowBytesMin: number;
  /** How often uploads are looked at. */
  readonly bodyCheckMs: number;
  /** Uploads held in memory at once by one worker, all together. */
  readonly uploadBytesMax: number;
  /** Uploads that one worker stores as they arrive, at once; further ones wait. */
  readonly streamsMax: number;
  /** Writes that one worker has under way; further ones are refused. */
  readonly writesMax: number;
  /**
   * Requests that wait for their turn behind others, on one connection and on all of a worker. One read of 64
   * KiB holds 2,500 of the shortest, which all wait until Node has read it, however soon they are answered.
   */
  readonly queuedOnConnectionMax: number;
  readonly queuedMax: number;
  /** A client that takes nothing of its answer for this long is cut. */
  readonly sendStallMs: number;
  /** What a client takes of its answer each second, at least, beside `sendStallMs` for each write. */
  readonly sendBytesPerSecondMin: number;
  /** How often answers are looked at. */
  readonly sendCheckMs: number;
  /** How long a connection that was told to close is still read, so that its answer arrives. */
  readonly lingerMs: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const DEFAULT_LIMITS: Limits = {
  headBytesMax: 16 * KiB,
  headerCountMax: 1000,
  headersTimeoutMs: 15_000,
  connectionsCheckMs: 5_000,
  keepAliveTimeoutMs: 80_000,
  bodyStallMs: 30_000,
  bodyWindowMs: 60_000,
  bodyWindowBytesMin: 60 * KiB,
  bodyCheckMs: 1_000,
  uploadBytesMax: 64 * MiB,
  streamsMax: 64,
  writesMax: 4096,
  queuedOnConnectionMax: 4096,
  queuedMax: 8192,
  sendStallMs: 60_000,
  sendBytesPerSecondMin: 8 * KiB,
  sendCheckMs: 5_000,
  lingerMs: 2_000,
};
