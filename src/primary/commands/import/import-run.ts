/**
 * The import of a database of the Python original into a store: every item is read, converted and
 * written the way any entry is, into segments and through the write lane.
 */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Kind } from '../../../protocol/record.ts';
import { EntryWriter } from '../../../segments/entry-writer.ts';
import { SegmentLog } from '../../../segments/segment-log.ts';
import type { StoreDirectory } from '../../directory/directory.ts';
import { CannotRunError } from '../../exit.ts';
import { OriginalDatabase, type OriginalItem } from '../../store/original-database.ts';
import { Storage, type StoreSettings } from '../../store/storage.ts';
import { type Checkpoint, CheckpointFile, type ImportCounts, newCounts } from './checkpoint.ts';
import { convertItem } from './original-entry.ts';

export interface ImportOptions {
  /** Directory of the original's database. */
  readonly from: string;
  readonly directory: StoreDirectory;
  readonly settings: StoreSettings;
  readonly bodyBytesMax: number;
  readonly log: Logger;
  readonly now: () => number;
  /** Told after each chunk: the share that is done, and the counts. */
  readonly onProgress: (share: number, counts: ImportCounts) => void;
  /** Asked after each chunk whether to stop; a later import goes on from there. */
  readonly shouldStop: () => boolean;
}

export interface ImportResult {
  readonly counts: ImportCounts;
  readonly isComplete: boolean;
  /** Whether an earlier import was gone on with. */
  readonly wasResumed: boolean;
}

const ITEMS_PER_CHUNK = 256;
const CHECKPOINT_EVERY_ITEMS = 8192;
/** The writer of the segments: no worker has this number, and none runs meanwhile. */
const IMPORT_WRITER = 1;
const SEAL_POLL_MS = 5;

/** Imports everything that can be. Throws a CannotRunError when source or store do not allow it. */
export async function importOriginal(options: ImportOptions): Promise<ImportResult> {
  const from = await realpath(options.from).catch(() => {
    throw new CannotRunError(`there is no directory ${options.from}`);
  });
  const aside = join(options.directory.path, '.import-source');
  const source = await OriginalDatabase.open(from, aside);
  try {
    const checkpoints = new CheckpointFile(options.directory.path, from);
    return await importInto(options, source, checkpoints);
  } finally {
    await source.close();
  }
}

async function importInto(
  options: ImportOptions,
  source: OriginalDatabase,
  checkpoints: CheckpointFile,
): Promise<ImportResult> {
  const target = await openTarget(options);
  try {
    const resumed = await checkpoints.read();
    const counts = resumed?.counts ?? newCounts();
    let done: Checkpoint | undefined = resumed;
    let sinceCheckpoint = 0;
    for await (const items of source.chunksAfter(resumed?.after, ITEMS_PER_CHUNK)) {
      await Promise.all(items.map((item) => importItem(item, target.writer, options, counts)));
      const after = items.at(-1)?.key ?? Buffer.alloc(0);
      done = { after, counts };
      sinceCheckpoint += items.length;
      if (sinceCheckpoint >= CHECKPOINT_EVERY_ITEMS) {
        await checkpoints.write(done);
        sinceCheckpoint = 0;
      }
      options.onProgress(await source.shareBefore(after), counts);
      if (!options.shouldStop()) continue;
      await checkpoints.write(done);
      return { counts, isComplete: false, wasResumed: resumed !== undefined };
    }
    await checkpoints.remove();
    return { counts, isComplete: true, wasResumed: resumed !== undefined };
  } finally {
    await target.close();
  }
}

/** Counts an item once it is written, so that a checkpoint never counts what is not there. */
async function importItem(
  item: OriginalItem,
  writer: EntryWriter,
  { now, bodyBytesMax }: ImportOptions,
  counts: ImportCounts,
): Promise<void> {
  const entry = convertItem(item, now(), bodyBytesMax);
  if (typeof entry === 'string') {
    counts.skipped[entry] += 1;
    return;
  }
  await writer.write(entry.key, entry.meta, entry.body);
  if (entry.meta.kind === Kind.json) counts.json += 1;
  else counts.raw += 1;
}

interface Target {
  readonly writer: EntryWriter;
  close(): Promise<void>;
}

/** The store, with this process as the only writer. */
async function openTarget({ directory, settings, log, now }: ImportOptions): Promise<Target> {
  const storage = await Storage.open({
    directory,
    settings,
    log,
    now,
    onDrop: () => undefined,
    onRetire: (segment) => segments.retire(segment),
    sealAll: async () => {
      await segments.sealAll();
      while (!segments.isIdle) await sleep(SEAL_POLL_MS);
    },
  });
  const segments = new SegmentLog({
    directory: directory.segmentsPath,
    segmentBytes: settings.segmentBytes,
    writer: IMPORT_WRITER,
    grants: {
      grant: (bytes) => storage.grantSegment(IMPORT_WRITER, bytes),
      extend: (segment, bytes) => storage.extendSegment(IMPORT_WRITER, segment, bytes),
      seal: (segment, fileBytes) => {
        void storage.sealSegment(IMPORT_WRITER, segment, fileBytes);
      },
    },
    now,
    syncsStreams: settings.durability !== 'none',
  });
  const writer = new EntryWriter({
    segments,
    commit: (key, record) => storage.entries.commit(IMPORT_WRITER, key, record),
    now,
  });
  return { writer, close: () => storage.close() };
}
