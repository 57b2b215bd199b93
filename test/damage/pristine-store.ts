/**
 * A store of all that damage can meet, made once and copied for each round: JSON and raw entries,
 * small, of several blocks and streamed; overwritten, deleted, expired and cleared ones; a purge that
 * is still pending; and an index of tables and a log.
 */
import { createHash } from 'node:crypto';
import { type EntryMeta, Kind } from '../../src/protocol/record.ts';
import type { SegmentStore } from '../../src/workers/store/segment-store.ts';
import { TestServer } from '../workers/store/segment-store-setup.ts';

/** What a key was given over its life. */
export interface KeyHistory {
  /** Hash of the body that a reader must get; absent when a reader must get nothing. */
  readonly now?: string;
  /** Hashes of all bodies that it ever had. */
  readonly ever: readonly string[];
}

export interface Pristine {
  readonly keys: Readonly<Record<string, KeyHistory>>;
  /** The newest version that was given. */
  readonly lastVersion: number;
}

export const hashOf = (body: Buffer): string => createHash('sha256').update(body).digest('hex');

/** Sizes of bodies: most are small. */
const SIZES = [0, 20, 300, 2000, 9000, 70_000];
const STREAMED_BYTES = 1_200_000;
const KEYS_PER_RUN = 150;
const RUNS = 3;
const SEGMENT_BYTES = 512 * 1024;
const MADE_AT_MS = Date.UTC(2026, 0, 1);

class Maker {
  readonly #random: () => number;
  readonly #history = new Map<string, { now?: string | undefined; ever: string[] }>();
  lastVersion = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  get keys(): Record<string, KeyHistory> {
    const entries = [...this.#history].map(([key, { now, ever }]) => [
      key,
      now === undefined ? { ever } : { now, ever },
    ]);
    return Object.fromEntries(entries) as Record<string, KeyHistory>;
  }

  async put(store: SegmentStore, key: string, bytes: number, expiresAtMs = 0): Promise<void> {
    const isJson = bytes > 1 && this.#random() < 0.5;
    const body = this.#body(bytes, isJson);
    const meta: EntryMeta = {
      kind: isJson ? Kind.json : Kind.raw,
      expiresAtMs,
      contentType: isJson ? null : 'application/octet-stream',
      expire: null,
      duration: null,
    };
    const source = async function* (): AsyncGenerator<Buffer> {
      yield body;
    };
    const { version } = await store.put(key, meta, bytes > 1024 * 1024 ? source() : body);
    const known = this.#history.get(key) ?? { ever: [] };
    known.ever.push(hashOf(body));
    known.now = expiresAtMs === 0 ? hashOf(body) : undefined;
    this.#history.set(key, known);
    this.lastVersion = version;
  }

  async delete(store: SegmentStore, key: string): Promise<void> {
    await store.delete(key);
    this.forget((known) => known === key);
  }

  forget(isGone: (key: string) => boolean): void {
    for (const [key, known] of this.#history) if (isGone(key)) known.now = undefined;
  }

  #body(bytes: number, isJson: boolean): Buffer {
    const body = Buffer.alloc(bytes);
    for (let at = 0; at < bytes; at++) body[at] = 97 + Math.floor(this.#random() * 26);
    if (isJson) body[0] = body[bytes - 1] = 0x22;
    return body;
  }
}

/** Makes the store at `path`, closed and sealed. */
export async function makePristine(path: string, random: () => number): Promise<Pristine> {
  const maker = new Maker(random);
  for (let run = 0; run < RUNS; run++) await fill(path, maker, random, run);
  return { keys: maker.keys, lastVersion: maker.lastVersion };
}

async function fill(path: string, maker: Maker, random: () => number, run: number): Promise<void> {
  const server = await TestServer.start(path, () => MADE_AT_MS, SEGMENT_BYTES);
  try {
    const { store } = server.addWorker();
    for (let nth = 0; nth < KEYS_PER_RUN; nth++) {
      const kind = nth % 10 === 3 ? 'purged' : 'entry';
      const bytes = SIZES[Math.floor(random() ** 2 * SIZES.length)] ?? 0;
      const expiresAtMs = nth % 10 === 5 ? MADE_AT_MS + 1 : 0;
      await maker.put(store, `run ${run}/${kind} ${nth}`, bytes, expiresAtMs);
    }
    if (run === RUNS - 1) {
      // Past the storage, so that no hand is told to work it off.
      await server.storage.entries.purge('run 1/purged');
      maker.forget((key) => key.startsWith('run 1/purged'));
    }
    await maker.put(store, `run ${run}/streamed`, STREAMED_BYTES);
    for (let nth = 0; nth < 10; nth++) {
      await maker.put(store, `often ${nth}`, 100);
      await maker.put(store, `gone ${nth}`, 100);
      await maker.delete(store, `gone ${nth}`);
    }
    if (run > 0) {
      for (let nth = 0; nth < 30; nth++) await maker.put(store, `run 0/entry ${nth * 2}`, 500);
      for (let nth = 1; nth < 20; nth += 2)
        await maker.delete(store, `run ${run - 1}/entry ${nth}`);
    } else {
      await store.clear();
      maker.forget(() => true);
      for (let nth = 0; nth < 60; nth++) await maker.put(store, `run 0/entry ${nth}`, 300);
    }
  } finally {
    await server.stop();
  }
}

/** A time after everything that expires has expired, and before the hand removes it. */
export const READ_AT_MS = MADE_AT_MS + 10_000;
