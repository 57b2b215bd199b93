/**
 * Brings an import to the disk before it is noted how far it has come: a checkpoint that outlasts a
 * power failure must not count what does not.
 */
import type { StoreDirectory } from '../../directory/directory.ts';
import { IndexLogs } from '../../store/index/index-logs.ts';
import { SegmentSyncs } from '../../store/segment-syncs.ts';

export class DiskBarrier {
  readonly #segments: SegmentSyncs;
  readonly #logs: IndexLogs;
  /** Segments that were written to since the last sync. */
  #written = new Set<number>();

  constructor({ segmentsPath, indexPath }: Pick<StoreDirectory, 'segmentsPath' | 'indexPath'>) {
    this.#segments = new SegmentSyncs({ segmentsPath, onFailure: () => undefined });
    this.#logs = new IndexLogs(indexPath);
  }

  /** A record was committed that points into the segment. */
  wrote(segment: number): void {
    this.#written.add(segment);
  }

  /** Puts on the disk all that was committed before the call. Throws the error of a sync. */
  async sync(): Promise<void> {
    const written = this.#written;
    this.#written = new Set();
    for (const error of (await this.#segments.sync(written)).values()) {
      // One without a file was reclaimed: what it held is elsewhere, or was evicted.
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    await this.#segments.release(() => false);
    await this.#logs.sync();
  }

  async close(): Promise<void> {
    await this.#segments.close();
    await this.#logs.close();
  }
}

function codeOf(error: Error): string | undefined {
  const cause = error.cause instanceof Error ? error.cause : error;
  return (cause as NodeJS.ErrnoException).code;
}
