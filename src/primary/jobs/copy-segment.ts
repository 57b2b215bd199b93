/**
 * Job thread: goes through one segment and copies what is to stay into another, in the order in which
 * it lies. It only reads the index: each batch is told to the primary, which moves the pointers and
 * evicts through the write lane, and lets the job go on.
 */
import { once } from 'node:events';
import { ClassicLevel } from 'classic-level';
import {
  decodeRecord,
  type EntryRecord,
  type Pointer,
  pointerOf,
  RECORD_HEAD_BYTES,
  usefulUntilOf,
  versionOf,
  wasSpared,
} from '../../protocol/record.ts';
import { AppendSource, AppendTarget } from '../../segments/append-copy.ts';
import { type ScannedAppend, scanAppends } from '../../segments/append-scan.ts';
import { WHOLE_BODY_BYTES_MAX } from '../../segments/body-reader.ts';
import { APPEND_HEADER_BYTES, occupiedBytesOf } from '../../segments/format.ts';
import { INDEX_OPTIONS } from '../store/index/index-files.ts';
import { entryKey } from '../store/index/index-keys.ts';
import type { Move, SeenAt } from '../store/operations.ts';
import { type Purges, purgesFrom } from '../store/purges/purges.ts';
import { SecondChance } from '../store/space/second-chance.ts';
import { Visited } from '../store/space/visited.ts';
import type { CopyAnswer, CopyNews, CopyRequest, CopyResult } from './copy-messages.ts';
import { eachFromSource, fromSource, SourceFault } from './source-fault.ts';

const APPENDS_PER_READ = 512;
/** Copies are synced and told in batches of about this size. */
const BATCH_BYTES = 8 * 1024 * 1024;
const BATCH_ENTRIES_MAX = 4096;

export default async function copySegment(request: CopyRequest): Promise<CopyResult> {
  const index = new ClassicLevel<Buffer, Buffer>(request.indexPath, INDEX_OPTIONS);
  await index.open();
  try {
    return await new SegmentCopy(request, index).run();
  } finally {
    request.port.close();
    await index.close();
  }
}

/** What may be an entry of the segment: the index tells whether it is one. */
interface Candidate {
  readonly key: string;
  readonly bodyAt: number;
  /** Undefined where the append was not found by walking the file. */
  readonly append: ScannedAppend | undefined;
}

/** An entry whose record points to the candidate. */
interface Live extends Candidate {
  readonly record: Buffer;
  readonly decoded: EntryRecord;
  readonly keyBytes: Buffer;
}

class SegmentCopy {
  readonly #request: CopyRequest;
  readonly #index: ClassicLevel<Buffer, Buffer>;
  #source: AppendSource | undefined;
  readonly #visited: Visited;
  readonly #chance: SecondChance;
  readonly #purges: Purges;
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
    this.#visited = Visited.over(request.visited);
    this.#chance = new SecondChance(request.fileBytes, request.bytesLive);
    this.#purges = purgesFrom(request.clearVersion, request.purges);
  }

  async run(): Promise<CopyResult> {
    const { segmentPath } = this.#request;
    try {
      this.#source = fromSource(() => new AppendSource(segmentPath));
      await this.#goThrough();
      return { isComplete: !this.#isStopped, renew: this.#renew, fault: undefined };
    } catch (error) {
      if (!(error instanceof SourceFault)) throw error;
      // What was copied so far is whole.
      await this.#tell();
      return { isComplete: false, renew: undefined, fault: error.kind };
    } finally {
      this.#source?.close();
      this.#target?.close();
    }
  }

  async #goThrough(): Promise<void> {
    let candidates: Candidate[] = [];
    for await (const candidate of this.#candidates()) {
      candidates.push(candidate);
      if (candidates.length < APPENDS_PER_READ) continue;
      await this.#look(candidates);
      candidates = [];
      if (this.#isStopped) return;
    }
    await this.#look(candidates);
    await this.#tell();
  }

  async *#candidates(): AsyncGenerator<Candidate> {
    const { seen: told, segmentPath } = this.#request;
    for (const { key, from } of told ?? []) yield { key, bodyAt: from.offset, append: undefined };
    if (told !== undefined) return;
    for await (const append of eachFromSource(scanAppends(segmentPath))) {
      const bodyAt = append.at + APPEND_HEADER_BYTES + append.header.keyBytes;
      yield { key: append.key, bodyAt, append };
    }
  }

  async #look(candidates: readonly Candidate[]): Promise<void> {
    if (candidates.length === 0) return;
    const records = await this.#index.getMany(candidates.map(({ key }) => entryKey(key)));
    for (let at = 0; at < candidates.length && !this.#isStopped; at++) {
      const live = this.#liveAt(candidates[at], records[at]);
      if (live !== undefined) await this.#settle(live);
    }
  }

  #liveAt(candidate: Candidate | undefined, record: Buffer | undefined): Live | undefined {
    if (candidate === undefined || record === undefined) return;
    if (record.length <= RECORD_HEAD_BYTES) return;
    const { segment, offset } = pointerOf(record);
    if (segment !== this.#request.segment || offset !== candidate.bodyAt) return;
    const keyBytes = Buffer.from(candidate.key);
    const decoded = decodeRecord(keyBytes, record);
    if (decoded === undefined) {
      this.#damaged.push(seen(candidate.key, record));
      return;
    }
    return { ...candidate, record, decoded, keyBytes };
  }

  async #settle(live: Live): Promise<void> {
    const { key, record, decoded } = live;
    const isFull =
      this.#moves.length + this.#evicted.length + this.#dead.length >= BATCH_ENTRIES_MAX ||
      this.#copiedBytes >= BATCH_BYTES;
    if (isFull) await this.#tell();
    if (this.#isStopped) return;
    // What is stale and may still be shown stays.
    const untilMs = usefulUntilOf(record);
    const isExpired = untilMs !== 0 && untilMs <= this.#request.nowMs;
    if (isExpired || this.#purges.isPurged(key, record)) {
      this.#dead.push(seen(key, record));
      return;
    }
    const verdict = this.#judge(live);
    if (verdict === 'evict') this.#evicted.push(seen(key, record));
    else if (decoded.storedBytes > WHOLE_BODY_BYTES_MAX) this.#renew = key;
    else await this.#copy(live, verdict === 'dear');
  }

  #judge({ key, keyBytes, record, decoded }: Live): 'visited' | 'dear' | 'evict' {
    if (this.#request.keep === 'all') return wasSpared(record) ? 'dear' : 'visited';
    if (this.#request.keep === 'nothing') return 'evict';
    const isAlone = decoded.storedBytes > WHOLE_BODY_BYTES_MAX;
    return this.#chance.judge({
      // A body that stands alone is not copied, so it takes nothing of the half.
      bytes: isAlone ? 0 : occupiedBytesOf(keyBytes.length, record),
      visited: this.#visited.has(key),
      costMs: decoded.costMs,
      wasSpared: wasSpared(record),
    });
  }

  async #copy(live: Live, isSpared: boolean): Promise<void> {
    const { key, keyBytes, record } = live;
    const bytes = fromSource(() => this.#read(live));
    if (bytes === undefined) {
      this.#damaged.push(seen(key, record));
      return;
    }
    const target = await this.#targetFor(bytes.length);
    if (target === undefined) return;
    const at = target.append(bytes);
    this.#copiedBytes += bytes.length;
    const offset = at + APPEND_HEADER_BYTES + keyBytes.length;
    const to: Pointer = { segment: target.id, offset };
    this.#moves.push({ ...seen(key, record), to, isSpared });
  }

  /**
   * The append, or one that is made of the record and the body where what stands around the body is
   * damaged; undefined when the body is.
   */
  #read({ append, keyBytes, decoded }: Live): Buffer | undefined {
    const found = append === undefined ? undefined : this.#source?.read(append);
    return found ?? this.#source?.remake(keyBytes, decoded);
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
