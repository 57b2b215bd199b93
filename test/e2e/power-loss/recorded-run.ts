/**
 * One recorded run: a server under strace, clients that write, a kill -9 of the primary in the middle,
 * and after the end as many power failures as one likes, each at another place of the record.
 */
import assert from 'node:assert/strict';
import { mkdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Durability } from '../../../src/protocol/config.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { TestServer, type TestWorker } from '../../workers/store/segment-store-setup.ts';
import { bytesOf } from '../../workers/store/store-subject.ts';
import { readBody } from '../chaos/body.ts';
import { History, type KeyState } from './history.ts';
import { LossyDisk } from './lossy-disk.ts';
import { RecordedServer } from './recorded-server.ts';
import { type DiskEvent, readTrace, traceFile } from './trace.ts';
import { Writer } from './writer.ts';

const PRELOAD = fileURLToPath(new URL('./small-write-buffer.mjs', import.meta.url));
const WRITERS = 6;
const ARGS = ['--workers', '2', '--segment-size', '4194304'];

interface Test {
  after(cleanUp: () => Promise<void>): void;
}

/** A failure of the power at a place of the record. */
export interface Failure {
  readonly point: number;
  readonly atMs: number;
}

/** While the primary was dead, up to the moment in which its successor listened. */
interface Outage {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a store held after a failure that it must not hold. */
export interface Verdict {
  /** Operations that were acknowledged before the power failed. */
  readonly acknowledged: number;
  readonly lost: string[];
  /** Stale, resurrected, torn, or a store that does not open. */
  readonly wrong: string[];
}

export class RecordedRun {
  readonly history: History;
  readonly events: readonly DiskEvent[];
  readonly #disk: LossyDisk;
  readonly #scratch: string;
  readonly #outage: Outage;

  private constructor(
    history: History,
    events: readonly DiskEvent[],
    outage: Outage,
    scratch: string,
  ) {
    this.history = history;
    this.events = events;
    this.#outage = outage;
    this.#disk = new LossyDisk(events);
    this.#scratch = scratch;
  }

  static async record(
    test: Test,
    mode: Durability,
    durationMs: number,
    random: () => number,
  ): Promise<RecordedRun> {
    const scratch = await realpath(await temporaryDirectory(test));
    const store = join(scratch, 'store');
    await mkdir(store);
    const history = new History();
    const args = ['--db-path', store, '--durability', mode, ...ARGS];
    const start = (nth: number): Promise<RecordedServer> =>
      RecordedServer.start(test, traceFile(scratch, nth), PRELOAD, args);
    let server = await start(0);
    const writers = Array.from(
      { length: WRITERS },
      (_, nth) => new Writer(`w${nth}`, () => server.url, history, random),
    );
    const runs = writers.map((writer) => writer.run());
    await sleep(durationMs / 2);
    const killedAtMs = Date.now();
    await server.stop('SIGKILL');
    server = await start(1);
    const outage = { fromMs: killedAtMs, toMs: Date.now() };
    await sleep(durationMs / 2);
    for (const writer of writers) writer.stop();
    await Promise.all(runs);
    await server.stop('SIGTERM');
    const first = await readTrace(traceFile(scratch, 0), store, 0);
    const second = await readTrace(traceFile(scratch, 1), store, first.next);
    const run = new RecordedRun(history, [...first.events, ...second.events], outage, scratch);
    assert.deepEqual(await run.#disk.differences(store), [], 'the record is the whole truth');
    return run;
  }

  /** The same run, as if the server had not asked for some of its syncs. */
  without(isLeftOut: (syncedPath: string) => boolean): RecordedRun {
    const left = this.events.filter(
      ({ action }) => action.kind !== 'sync' || !isLeftOut(action.path),
    );
    return new RecordedRun(this.history, left, this.#outage, this.#scratch);
  }

  /** The longest that one sync took, in milliseconds. */
  get slowestSyncMs(): number {
    const took = this.events
      .filter(({ action }) => action.kind === 'sync')
      .map(({ beganAtMs, endedAtMs }) => endedAtMs - beganAtMs);
    return Math.max(0, ...took);
  }

  /** A place somewhere in the record. */
  anyFailure(random: () => number): Failure {
    const returned = this.events.filter(({ ended }) => Number.isFinite(ended));
    const event = returned[Math.floor(random() * returned.length)];
    assert.ok(event !== undefined, 'something was recorded');
    return { point: event.ended, atMs: event.endedAtMs };
  }

  /** Lets the power fail, opens the store, and judges all that it holds. */
  async judge(failure: Failure, windowMs: number, random: () => number): Promise<Verdict> {
    const { atMs } = failure;
    const safeUntilMs = windowMs === 0 ? atMs : this.#lastServedMs(atMs) - windowMs;
    const acknowledged = this.history.acknowledgedBy(atMs);
    const verdict: Verdict = { acknowledged, lost: [], wrong: [] };
    const path = join(this.#scratch, 'after');
    try {
      await this.#disk.failAt(failure.point, path, random);
      await this.#readAll(path, (key, seen) => {
        const violation = this.history.judge(key, seen, atMs, safeUntilMs);
        if (violation === 'lost') verdict.lost.push(key);
        else if (violation !== undefined) verdict.wrong.push(`${key}: ${violation} (${seen})`);
      });
    } catch (error) {
      verdict.wrong.push(`the store cannot be read: ${error}`);
    } finally {
      await rm(path, { recursive: true, force: true });
    }
    return verdict;
  }

  /** When the server last ran. Between its death and its next start nobody can sync anything. */
  #lastServedMs(atMs: number): number {
    const { fromMs, toMs } = this.#outage;
    return atMs >= fromMs && atMs <= toMs ? fromMs : atMs;
  }

  async #readAll(path: string, look: (key: string, seen: KeyState) => void): Promise<void> {
    const server = await TestServer.start(path, Date.now, undefined, { durability: 'none' });
    try {
      const worker = server.addWorker();
      for (const key of this.history.keys) look(key, await readKey(worker, key));
    } finally {
      await server.stop();
    }
  }
}

async function readKey({ store }: TestWorker, key: string): Promise<KeyState> {
  const hit = await store.get(key);
  return hit.found ? readBody(key, await bytesOf(hit.content)) : undefined;
}
