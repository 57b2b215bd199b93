/** One round: a copy of the pristine store is damaged, opened, read, written to, and judged. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { CannotRunError } from '../../src/primary/exit.ts';
import { BigCacheError } from '../../src/protocol/errors.ts';
import { Kind } from '../../src/protocol/record.ts';
import type { SegmentStore } from '../../src/workers/store/segment-store.ts';
import { randomFrom } from '../e2e/chaos/random.ts';
import { TestServer, type TestWorker } from '../workers/store/segment-store-setup.ts';
import { damageOne, type FileKind } from './damaging.ts';
import { hashOf, type KeyHistory, type Pristine, READ_AT_MS } from './pristine-store.ts';

export interface RoundResult {
  readonly round: number;
  readonly kind: FileKind;
  /** Whether the index had no seal, as after kill -9. */
  readonly isUnsealed: boolean;
  readonly damage: string;
  /** Why the start was refused, when it was. */
  readonly refused?: string;
  readonly right: number;
  readonly missing: number;
  /** Reads that were refused with an error, by its code. */
  readonly failed: number;
  /** Older bodies of a key, and bodies of keys that were gone. */
  readonly older: number;
  readonly returned: number;
  readonly wrong: readonly string[];
  readonly hung: readonly string[];
  /** Warnings and errors in the log, and entries that readers reported damaged. */
  readonly told: readonly string[];
  /** Whether a new entry was refused; or what was wrong with it. */
  readonly write: string;
}

const DEADLINE_MS = 10_000;
const NOTHING = { right: 0, missing: 0, failed: 0, older: 0, returned: 0, write: 'none' };

export interface RoundOptions {
  readonly pristinePath: string;
  readonly pristine: Pristine;
  readonly scratch: string;
  readonly seed: number;
  readonly round: number;
  readonly kind: FileKind;
}

export async function runRound(options: RoundOptions): Promise<RoundResult> {
  const { pristinePath, scratch, seed, round, kind } = options;
  const random = randomFrom(seed + round * 7919);
  const path = join(scratch, `round-${round}`);
  cpSync(pristinePath, path, { recursive: true });
  const isUnsealed = random() < 0.5;
  if (isUnsealed) rmSync(join(path, 'index', 'CLOSED'));
  const damage = damageOne(path, kind, random);
  const told: string[] = [];
  const about = { round, kind, isUnsealed, damage, told };
  try {
    const server = await beforeDeadline(open(path, told));
    const read = await readAll(server, options.pristine, told);
    await beforeDeadline(server.stop());
    return { ...about, ...read };
  } catch (error) {
    if (error instanceof Late) return { ...about, ...NOTHING, wrong: [], hung: ['the store'] };
    if (!(error instanceof CannotRunError)) throw error;
    return { ...about, ...NOTHING, wrong: [], hung: [], refused: error.message };
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

function open(path: string, told: string[]): Promise<TestServer> {
  const log = pino({ level: 'warn' }, { write: (line: string) => told.push(messageOf(line)) });
  return TestServer.start(path, () => READ_AT_MS, undefined, {}, log);
}

function messageOf(line: string): string {
  const { msg, err } = JSON.parse(line) as { msg: string; err?: { message: string } };
  return err === undefined ? msg : `${msg}: ${err.message}`;
}

type Read = Omit<RoundResult, 'round' | 'kind' | 'isUnsealed' | 'damage' | 'told' | 'refused'>;

async function readAll(server: TestServer, pristine: Pristine, told: string[]): Promise<Read> {
  const worker = server.addWorker();
  const counts = { right: 0, missing: 0, failed: 0, older: 0, returned: 0 };
  const wrong: string[] = [];
  const hung: string[] = [];
  for (const [key, history] of Object.entries(pristine.keys)) {
    const verdict = await beforeDeadline(judge(worker, key, history)).catch((error: unknown) => {
      if (error instanceof Late) return 'hung' as const;
      throw error;
    });
    if (verdict === 'wrong') wrong.push(key);
    else if (verdict === 'hung') hung.push(key);
    else counts[verdict] += 1;
  }
  const write = await beforeDeadline(writeOne(worker.store, pristine.lastVersion));
  told.push(...worker.damaged);
  return { ...counts, wrong, hung, write };
}

type Verdict = 'right' | 'missing' | 'failed' | 'older' | 'returned' | 'wrong';

async function judge(worker: TestWorker, key: string, history: KeyHistory): Promise<Verdict> {
  let found: string | undefined;
  try {
    found = await read(worker.store, key);
  } catch (error) {
    // What the client sees is an error, or a connection that ends in the middle of a body.
    if (error instanceof BigCacheError || (error as Error).name === 'SegmentDamage')
      return 'failed';
    throw error;
  }
  if (found === history.now) return 'right';
  if (found === undefined) return 'missing';
  if (!history.ever.includes(found)) return 'wrong';
  return history.now === undefined ? 'returned' : 'older';
}

/** The hash of the body that a reader gets; undefined for a miss. */
async function read(store: SegmentStore, key: string): Promise<string | undefined> {
  const hit = await store.get(key);
  if (!hit.found) return undefined;
  try {
    const pieces: Buffer[] = [];
    for await (const piece of hit.content.chunks()) pieces.push(Buffer.from(piece));
    return hashOf(Buffer.concat(pieces));
  } finally {
    hit.content.release();
  }
}

/** A new entry is readable at once, under a version that was never given before. */
async function writeOne(store: SegmentStore, lastVersion: number): Promise<string> {
  const body = Buffer.from('written after the damage');
  const meta = { kind: Kind.raw, expiresAtMs: 0, contentType: null, expire: null, duration: null };
  try {
    const { version } = await store.put('new', meta, body);
    if (version <= lastVersion) return `wrong: version ${version} was given before`;
    return (await read(store, 'new')) === hashOf(body) ? 'done' : 'wrong: it is not read back';
  } catch (error) {
    if (error instanceof BigCacheError) return `refused: ${error.code}`;
    throw error;
  }
}

class Late extends Error {}

async function beforeDeadline<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late('it hangs')), DEADLINE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
