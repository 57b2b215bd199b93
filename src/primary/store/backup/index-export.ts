/**
 * The export of the index, seen from the primary: begins the job thread, has it fix a snapshot while
 * the write lane stands still, and waits for its end.
 */
import { EventEmitter, once } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { CannotRunError } from '../../exit.ts';
import type { ExportCommand, ExportNotice, ExportRequest } from '../../jobs/export-index.ts';
import type { Jobs } from '../../jobs/job-pool.ts';

/** A snapshot is fixed within milliseconds; the lane waits for it no longer than this. */
const SNAPSHOT_MAX_MS = 2000;

export interface IndexExportOptions {
  readonly jobs: Pick<Jobs, 'exportIndex'>;
  readonly request: ExportRequest;
  readonly signal: AbortSignal;
  /** Told how many entries are exported so far. */
  readonly onEntries: (entries: number) => void;
}

export class IndexExport {
  readonly #port: MessagePort;
  readonly #signal: AbortSignal;
  readonly #cancel = (): void => this.#tell('cancel');
  /** Resolves with the number of records once all are exported. Rejects when the thread fails. */
  readonly done: Promise<number>;
  /** Resolves when the thread waits for the order to begin. */
  readonly ready: Promise<unknown>;
  readonly #opened: Promise<unknown>;

  constructor({ jobs, request, signal, onEntries }: IndexExportOptions) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#signal = signal;
    const steps = new EventEmitter();
    const ready = once(steps, 'ready');
    const opened = once(steps, 'opened');
    port1.on('message', (notice: ExportNotice) => {
      if (typeof notice === 'number') onEntries(notice);
      else steps.emit(notice);
    });
    signal.addEventListener('abort', this.#cancel);
    this.done = this.#run(jobs.exportIndex(request, port2));
    // A thread that ends before it got so far never says so.
    this.ready = Promise.race([ready, this.done.then(ended)]);
    this.#opened = Promise.race([opened, this.done.then(ended)]);
    // They are looked at later, or by nobody after an earlier failure.
    for (const promise of [this.done, this.ready, this.#opened]) promise.catch(() => undefined);
  }

  /** Fixes what is exported. REQUIRES: `ready`; no batch is under way in the write lane. */
  async takeSnapshot(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new CannotRunError('the backup failed: its thread took no snapshot in time'));
      }, SNAPSHOT_MAX_MS);
    });
    this.#tell('snapshot');
    try {
      await Promise.race([this.#opened, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #run(job: ReturnType<Jobs['exportIndex']>): Promise<number> {
    try {
      if (this.#signal.aborted) this.#cancel();
      const { records, isCancelled } = await job;
      if (isCancelled) throw this.#signal.reason ?? new CannotRunError('the export was cancelled');
      return records;
    } finally {
      this.#signal.removeEventListener('abort', this.#cancel);
      this.#port.close();
    }
  }

  #tell(command: ExportCommand): void {
    this.#port.postMessage(command);
  }
}

function ended(): never {
  throw new CannotRunError('the backup failed: its thread ended early');
}
