/**
 * Job thread: goes through one segment and copies what is to stay into another, in the order in which
 * it lies. It only reads the index: each batch is told to the primary, which moves the pointers and
 * evicts through the write lane, and lets the job go on.
 */
import { once } from 'node:events';
import type { MessagePort } from 'node:worker_threads';
import { ClassicLevel } from 'classic-level';
import {
  decodeRecord,
  type EntryRecord,
  expiresAtOf,
  type Pointer,
  pointerOf,
  RECORD_HEAD_BYTES,
  versionOf,
  wasSpared,
} from '../../protocol/record.ts';
import { AppendSource, AppendTarget } from '../../segments/append-copy.ts';
import { type ScannedAppend, scanAppends } from '../../segments/append-scan.ts';
import { WHOLE_BODY_BYTES_MAX } from '../../segments/body-reader.ts';
import { APPEND_HEADER_BYTES, appendBytes } from '../../segments/format.ts';
import { INDEX_OPTIONS } from '../store/index/index-files.ts';
import { entryKey } from '../store/index/index-keys.ts';
import type { Move, SeenAt } from '../store/operations.ts';
import { Purges } from '../store/purges.ts';
import { SecondChance } from '../store/space/second-chance.ts';
import { Visited } from '../store/space/visited.ts';

/** Where copies go: a segment that was granted to this job, and how much it may get. */
export interface CopyTarget {
  readonly id: number;
  readonly writer: number;
  readonly createdAtMs: number;
  /** Where to go on in it; 0 for a file that is still to be created. */
  readonly end: number;
  readonly bytesMax: number;
}

export interface CopyRequest {
  readonly indexPath: string;
  readonly segmentsPath: string;
  readonly segmentPath: string;
  readonly segment: number;
  /** `all`: whatever is live stays. `chance`: what deserves it. `nothing`: all of it is evicted. */
  readonly keep: 'all' | 'chance' | 'nothing';
  /** Bytes of the segment, of which at most half may be copied for `chance`. */
  readonly fileBytes: number;
  /** Bytes of its live entries. */
  readonly bytesLive: number;
  readonly visited: SharedArrayBuffer;
  readonly nowMs: number;
  readonly clearVersion: number;
  readonly purges: readonly { readonly version: number; readonly prefix: string }[];
  readonly port: MessagePort;
}

/** What the job tells the primary; it waits for a CopyAnswer after each. */
export type CopyNews =
  | { readonly kind: 'target-needed' }
  | {
      readonly kind: 'batch';
      readonly moves: readonly Move[];
      readonly evicted: readonly SeenAt[];
      /** Expired or purged: removed, not evicted. */
      readonly dead: readonly SeenAt[];
      /** Not as they were written. */
      readonly damaged: readonly SeenAt[];
      readonly copiedBytes: number;
      readonly targetEnd: number;
    };

/** What the primary answers: go on, perhaps in another target; or stop. */
export interface CopyAnswer {
  readonly stop: boolean;
  readonly target?: CopyTarget;
}

export interface CopyResult {
  /** Whether the segment was gone through to its end. */
  readonly isComplete: boolean;
  /** Where the last append ended. */
  readonly end: number;
  /** The key of a body that stands alone here and deserves to stay: nothing was copied. */
  readonly renew: string | undefined;
}

const APPENDS_PER_READ = 512;
/** Copies are synced and told in batches of about this size. */
const BATCH_BYTES = 8 * 1024 * 1024;
const BATCH_ENTRIES_MAX = 4096;

export default async function copySegment(request: CopyRequest): Promise<CopyResult> {
  const index = new ClassicLevel<Buffer, Buffer>(request.indexPath, INDEX_OPTIONS);
  await index.open();
  const copy = new SegmentCopy(request, index);
  try {
    return await copy.run();
  } finally {
    copy.close();
    request.port.close();
    await index.close();
  }
}

/** An entry whose record points to the append that was walked over. */
interface Live {
  readonly append: ScannedAppend;
  readonly record: Buffer;
  readonly decoded: EntryRecord;
}

class SegmentCopy {
  readonly #request: CopyRequest;
  readonly #index: ClassicLevel<Buffer, Buffer>;
  readonly #source: AppendSource;
  readonly #visited: Visited;
  readonly #chance: SecondChance;
  readonly #purges = new Purges();
  #target: AppendTarget | undefined;
  #targetBytesMax = 0;
  #moves: Move[] = [];
  #evicted: SeenAt[] = [];
  #dead: SeenAt[] = [];
  #damaged: SeenAt[] = [];
  #copiedBytes = 0;
  #isStopped = false;
  #renew: string | undefined;

  constructor(request: CopyRequest, index: ClassicLevel<Buffer, Buffer>) {
    this.#request = request;
    this.#index = index;
    this.#source = new AppendSource(request.segmentPath);
    this.#visited = Visited.over(request.visited);
    this.#chance = new SecondChance(request.fileBytes, request.bytesLive);
    this.#purges.restoreClear(request.clearVersion);
    for (const purge of request.purges) {
      this.#purges.add({ ...purge, startedAtMs: 0, matched: 0 });
    }
  }

  async run(): Promise<CopyResult> {
    let end = 0;
    let appends: ScannedAppend[] = [];
    for await (const append of scanAppends(this.#request.segmentPath)) {
      end = append.at + appendBytes(append.header);
      appends.push(append);
      if (appends.length < APPENDS_PER_READ) continue;
      await this.#look(appends);
      appends = [];
      if (this.#isStopped) return { isComplete: false, end, renew: undefined };
    }
    await this.#look(appends);
    await this.#tell();
    return { isComplete: !this.#isStopped, end, renew: this.#renew };
  }

  close(): void {
    this.#source.close();
    this.#target?.close();
  }

  async #look(appends: readonly ScannedAppend[]): Promise<void> {
    if (appends.length === 0) return;
    const records = await this.#index.getMany(appends.map(({ key }) => entryKey(key)));
    for (let at = 0; at < appends.length && !this.#isStopped; at++) {
      const live = this.#liveAt(appends[at], records[at]);
      if (live !== undefined) await this.#settle(live);
    }
  }

  #liveAt(append: ScannedAppend | undefined, record: Buffer | undefined): Live | undefined {
    if (append === undefined || record === undefined || record.length <= RECORD_HEAD_BYTES) return;
    const { segment, offset } = pointerOf(record);
    const bodyAt = append.at + APPEND_HEADER_BYTES + append.header.keyBytes;
    if (segment !== this.#request.segment || offset !== bodyAt) return;
    const decoded = decodeRecord(Buffer.from(append.key), record);
    if (decoded === undefined) {
      this.#damaged.push(seen(append.key, record));
      return;
    }
    return { append, record, decoded };
  }

  async #settle(live: Live): Promise<void> {
    const { append, record } = live;
    const { key } = append;
    const isFull =
      this.#moves.length + this.#evicted.length + this.#dead.length >= BATCH_ENTRIES_MAX ||
      this.#copiedBytes >= BATCH_BYTES;
    if (isFull) await this.#tell();
    if (this.#isStopped) return;
    const expiresAtMs = expiresAtOf(record);
    const isExpired = expiresAtMs !== 0 && expiresAtMs <= this.#request.nowMs;
    if (isExpired || this.#purges.isPurged(key, versionOf(record))) {
      this.#dead.push(seen(key, record));
      return;
    }
    const verdict = this.#judge(live);
    if (verdict === 'evict') this.#evicted.push(seen(key, record));
    else if (append.header.bodyBytes > WHOLE_BODY_BYTES_MAX) this.#renew = key;
    else await this.#copy(live, verdict === 'dear');
  }

  #judge({ append, record, decoded }: Live): 'visited' | 'dear' | 'evict' {
    if (this.#request.keep === 'all') return wasSpared(record) ? 'dear' : 'visited';
    if (this.#request.keep === 'nothing') return 'evict';
    const isAlone = append.header.bodyBytes > WHOLE_BODY_BYTES_MAX;
    return this.#chance.judge({
      // A body that stands alone is not copied, so it takes nothing of the half.
      bytes: isAlone ? 0 : appendBytes(append.header),
      visited: this.#visited.has(append.key),
      costMs: decoded.costMs,
      wasSpared: wasSpared(record),
    });
  }

  async #copy({ append, record }: Live, isSpared: boolean): Promise<void> {
    const bytes = this.#source.read(append);
    if (bytes === undefined) {
      this.#damaged.push(seen(append.key, record));
      return;
    }
    const target = await this.#targetFor(bytes.length);
    if (target === undefined) return;
    const at = target.append(bytes);
    this.#copiedBytes += bytes.length;
    const offset = at + APPEND_HEADER_BYTES + append.header.keyBytes;
    const to: Pointer = { segment: target.id, offset };
    this.#moves.push({ ...seen(append.key, record), to, isSpared });
  }

  /** A target with room; undefined when the job is to stop. */
  async #targetFor(bytes: number): Promise<AppendTarget | undefined> {
    const current = this.#target;
    if (current !== undefined && current.end + bytes <= this.#targetBytesMax) return current;
    // What lies in the full target is told before the primary seals it.
    await this.#tell();
    if (this.#isStopped) return;
    this.#target?.close();
    this.#target = undefined;
    const { target } = await this.#ask({ kind: 'target-needed' });
    if (target === undefined) {
      this.#isStopped = true;
      return;
    }
    const { segmentsPath } = this.#request;
    this.#targetBytesMax = target.bytesMax;
    this.#target =
      target.end > 0
        ? AppendTarget.resume(segmentsPath, target.id, target.end)
        : AppendTarget.create(segmentsPath, target);
    return this.#targetFor(bytes);
  }

  /** Tells the batch, with its copies on disk, and waits until the primary has settled it. */
  async #tell(): Promise<void> {
    const news: CopyNews = {
      kind: 'batch',
      moves: this.#moves,
      evicted: this.#evicted,
      dead: this.#dead,
      damaged: this.#damaged,
      copiedBytes: this.#copiedBytes,
      targetEnd: this.#target?.end ?? 0,
    };
    if (this.#copiedBytes > 0) this.#target?.sync();
    this.#moves = [];
    this.#evicted = [];
    this.#dead = [];
    this.#damaged = [];
    this.#copiedBytes = 0;
    await this.#ask(news);
  }

  async #ask(news: CopyNews): Promise<CopyAnswer> {
    const { port } = this.#request;
    const ended = new AbortController();
    const { signal } = ended;
    const message = once(port, 'message', { signal }).then(([answer]) => answer as CopyAnswer);
    // Without its other end nobody would ever answer.
    const close = once(port, 'close', { signal }).then((): CopyAnswer => ({ stop: true }));
    port.postMessage(news);
    const answer = await Promise.race([message, close]);
    ended.abort();
    await Promise.allSettled([message, close]);
    if (answer.stop) this.#isStopped = true;
    return answer;
  }
}

function seen(key: string, record: Buffer): SeenAt {
  return { key, version: versionOf(record), from: pointerOf(record) };
}
