/** What the suites of the store contract share: the store under test, bodies, and ways to read them. */
import assert from 'node:assert/strict';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { type EntryMeta, Kind } from '../../../src/protocol/record.ts';
import type { Content, Store } from '../../../src/workers/store/store.ts';

/** A store under test, empty, and what can be done to it from outside. */
export interface StoreUnderTest {
  readonly store: Store;
  /** The store's own clock, Unix milliseconds. */
  now(): number;
  /** Moves that clock on; suites about expiry wait in real time where it is missing. */
  advance?(ms: number): void;
  /** Contents that were handed out and not released, where the implementation can tell. */
  unreleased?(): number;
  /** Gives back what the store holds outside itself. */
  dispose?(): Promise<void>;
}

/** The store under test, once its group has begun. */
export type Subject = () => StoreUnderTest;

export type MakeStore = () => Promise<StoreUnderTest>;

export const JSON_META: EntryMeta = {
  kind: Kind.json,
  expiresAtMs: 0,
  contentType: null,
  expire: null,
  duration: null,
};
export const RAW_META: EntryMeta = { ...JSON_META, kind: Kind.raw, contentType: 'text/plain' };

/** Bytes that differ from one position to the next, so that shifted or repeated pieces show. */
export function pattern(byteLength: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(byteLength);
  let state = seed;
  for (let at = 0; at < byteLength; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** `bytes` in pieces, each a Buffer that is overwritten once the next is asked for. */
export async function* inPieces(bytes: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    await new Promise((resolve) => setImmediate(resolve));
    const piece = Buffer.from(bytes.subarray(at, at + pieceBytes));
    yield piece;
    piece.fill(0);
  }
}

/** Reads a content to its end, by both ways that it offers, and releases it. */
export async function bytesOf(content: Content): Promise<Buffer> {
  const whole = content.whole === undefined ? undefined : Buffer.from(content.whole);
  const pieces: Buffer[] = [];
  if (whole === undefined) {
    for await (const piece of content.chunks()) pieces.push(Buffer.from(piece));
  }
  const bytes = whole ?? Buffer.concat(pieces);
  assert.equal(bytes.length, content.byteLength);
  content.release();
  return bytes;
}

/** The body of `key`; undefined for a miss. */
export async function read(store: Store, key: string): Promise<Buffer | undefined> {
  const found = await store.get(key);
  return found.found ? bytesOf(found.content) : undefined;
}

/** Why `key` is a miss, or `found`. */
export async function missReason(store: Store, key: string): Promise<string> {
  const found = await store.get(key);
  if (!found.found) return found.reason;
  found.content.release();
  return 'found';
}

/** Fails with lengths, not with the bytes themselves. */
export function assertBytes(actual: Buffer | undefined, expected: Buffer, what: string): void {
  assert.ok(actual?.equals(expected), `${what}: ${actual?.length} bytes came back`);
}

/** Holds a promise to rejecting with the operating error `code`. */
export function rejectsWith(promise: Promise<unknown>, code: string): Promise<void> {
  return assert.rejects(promise, (error) => error instanceof BigCacheError && error.code === code);
}
