/**
 * Job thread: writes the index, as it was at one moment, into a new LevelDB of a backup. It only reads
 * the store; what it writes is the backup's.
 *
 * It speaks with the primary over a port: `ready` when it could begin at once; then it waits to be
 * told `snapshot`, and answers `opened` when what it will export is fixed. So the write lane is held
 * up for the time between those two alone. `cancel` ends it at any moment.
 */
import type { MessagePort } from 'node:worker_threads';
import { ClassicLevel } from 'classic-level';
import { INDEX_OPTIONS } from '../store/index/index-files.ts';
import { ENTRY_BYTE } from '../store/index/index-keys.ts';
import { RateLimit } from '../store/space/rate-limit.ts';

export interface ExportRequest {
  readonly indexPath: string;
  /** Where the new LevelDB is made; nothing may be there. */
  readonly targetPath: string;
  readonly bytesPerSecond: number;
}

/** What the primary tells the thread. */
export type ExportCommand = 'snapshot' | 'cancel';

/** What the thread tells the primary: a step, or how many entries it has exported. */
export type ExportNotice = 'ready' | 'opened' | number;

export interface ExportResult {
  /** Records under `e`, those included that are expired or purged. */
  readonly records: number;
  readonly isCancelled: boolean;
}

type Database = ClassicLevel<Buffer, Buffer>;

/** What is used of an iterator. */
interface PairIterator {
  nextv(size: number): Promise<[key: Buffer, value: Buffer][]>;
  close(): Promise<void>;
}

const PAIRS_PER_BATCH = 1024;
const NOTICE_EVERY_BATCHES = 8;

export default async function exportIndex({
  port,
  ...request
}: ExportRequest & { readonly port: MessagePort }): Promise<ExportResult> {
  const source: Database = new ClassicLevel(request.indexPath, INDEX_OPTIONS);
  await source.open();
  try {
    const target: Database = new ClassicLevel(request.targetPath, {
      ...INDEX_OPTIONS,
      multithreading: false,
      createIfMissing: true,
      errorIfExists: true,
    });
    await target.open();
    try {
      return await new Export(source, target, port, request.bytesPerSecond).run();
    } finally {
      await target.close();
    }
  } finally {
    port.close();
    await source.close();
  }
}

class Export {
  readonly #source: Database;
  readonly #target: Database;
  readonly #port: MessagePort;
  readonly #pace: RateLimit;
  #isCancelled = false;
  #records = 0;

  constructor(source: Database, target: Database, port: MessagePort, bytesPerSecond: number) {
    this.#source = source;
    this.#target = target;
    this.#port = port;
    this.#pace = new RateLimit(bytesPerSecond);
  }

  async run(): Promise<ExportResult> {
    await this.#toldToBegin();
    if (!this.#isCancelled) {
      const snapshot = this.#source.snapshot();
      try {
        this.#tell('opened');
        await this.#copy(this.#source.iterator({ snapshot, fillCache: false }));
      } finally {
        await snapshot.close();
      }
    }
    return { records: this.#records, isCancelled: this.#isCancelled };
  }

  #toldToBegin(): Promise<void> {
    return new Promise((resolve) => {
      this.#port.on('message', (command: ExportCommand) => {
        if (command === 'cancel') this.#isCancelled = true;
        resolve();
      });
      // The primary's end is gone: nobody wants the export any more.
      this.#port.on('close', () => {
        this.#isCancelled = true;
        resolve();
      });
      this.#tell('ready');
    });
  }

  async #copy(iterator: PairIterator): Promise<void> {
    try {
      for (let batches = 1; !this.#isCancelled; batches++) {
        const pairs = await iterator.nextv(PAIRS_PER_BATCH);
        if (pairs.length === 0) return;
        const puts = pairs.map(([key, value]) => ({ type: 'put' as const, key, value }));
        await this.#target.batch(puts);
        let bytes = 0;
        for (const [key, value] of pairs) {
          bytes += key.length + value.length;
          if (key[0] === ENTRY_BYTE) this.#records += 1;
        }
        if (batches % NOTICE_EVERY_BATCHES === 0) this.#tell(this.#records);
        await this.#pace.take(bytes);
      }
    } finally {
      await iterator.close();
    }
  }

  #tell(notice: ExportNotice): void {
    this.#port.postMessage(notice);
  }
}
