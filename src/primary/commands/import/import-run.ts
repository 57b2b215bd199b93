/**
 * The import of a database of the Python original into a store: every item is read, converted and
 * written the way any entry is, into segments and through the write lane.
 */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Kind, pointerOf } from '../../../protocol/record.ts';
import type { BodyEncoder } from '../../../segments/compression/body-encoder.ts';
import { EntryWriter } from '../../../segments/entry-writer.ts';
import { SegmentLog } from '../../../segments/segment-log.ts';
import type { StoreDirectory } from '../../directory/directory.ts';
import { CannotRunError } from '../../exit.ts';
import { OriginalDatabase, type OriginalItem } from '../../store/original-database.ts';
import { Storage, type StoreSettings } from '../../store/storage.ts';
import { CheckpointFile, type ImportCounts, newCounts } from './checkpoint.ts';
import { DiskBarrier } from './disk-barrier.ts';
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
  /** Compresses what is imported, where it pays; left out, all is stored as it was. */
  readonly encoder?: BodyEncoder;
  /** Asked after each chunk whether to stop; a later import goes on from there. */
  readonly shouldStop: () => boolean;
}

export interface ImportResult {
  readonly counts: ImportCounts;
  readonly isComplete: boolean;
  /** Whether an earlier import was gone on with. */
  readonly wasResumed: boolean;
  /** Why an earlier import was not gone on with; undefined where there was none, or it was. */
  readonly ignored: string | undefined;
}

const ITEMS_PER_CHUNK = 256;
const CHECKPOINT_EVERY_ITEMS = 8192;
/** The writer of the segments: no worker has this number, and none runs meanwhile. */
const IMPORT_WRITER = 1;
const SEAL_POLL_MS = 5;
const LOST_CHANGES = { ignored: 'part of what it stored is lost' };

/** Imports everything that can be. Throws a CannotRunError when source or store do not allow it. */
export async function importOriginal(options: ImportOptions): Promise<ImportResult> {
  const from = await realpath(options.from).catch(() => {
    throw new CannotRunError(`there is no directory ${options.from}`);
  });
  const aside = join(options.directory.path, '.import-source');
  const source = await OriginalDatabase.open(from, aside);
  try {
    const target = await openTarget(options);
    try {
      return await importInto(options, source, target, from);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function importInto(
  options: ImportOptions,
  source: OriginalDatabase,
  target: Target,
  from: string,
): Promise<ImportResult> {
  const { path, instanceId } = options.directory;
  const { clearVersion } = target;
  const checkpoints = new CheckpointFile(path, { from, instanceId, clearVersion });
  const earlier = target.hasLostChanges ? LOST_CHANGES : await checkpoints.read();
  const ignored = earlier !== undefined && 'ignored' in earlier ? earlier.ignored : undefined;
  const resumed = earlier !== undefined && 'after' in earlier ? earlier : undefined;
  if (ignored !== undefined) await checkpoints.remove();
  const counts = resumed?.counts ?? newCounts();
  const result = { counts, wasResumed: resumed !== undefined, ignored };
  /** Notes that all is done up to `after`, once that outlasts a power failure. */
  const note = async (after: Buffer): Promise<void> => {
    await target.disk.sync();
    await checkpoints.write({ after, counts });
  };
  let sinceCheckpoint = 0;
  if (options.shouldStop()) return { ...result, isComplete: false };
  for await (const items of source.chunksAfter(resumed?.after, ITEMS_PER_CHUNK)) {
    await Promise.all(items.map((item) => importItem(item, target, options, counts)));
    const after = items.at(-1)?.key ?? Buffer.alloc(0);
    options.onProgress(await source.shareBefore(after), counts);
    sinceCheckpoint += items.length;
    const isStopped = options.shouldStop();
    if (isStopped || sinceCheckpoint >= CHECKPOINT_EVERY_ITEMS) {
      await note(after);
      sinceCheckpoint = 0;
    }
    if (isStopped) return { ...result, isComplete: false };
  }
  await checkpoints.remove();
  return { ...result, isComplete: true };
}

/** Counts an item once it is written, so that a checkpoint never counts what is not there. */
async function importItem(
  item: OriginalItem,
  { writer }: Target,
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
  readonly disk: DiskBarrier;
  readonly clearVersion: number;
  /** Whether changes are lost that the store once had. */
  readonly hasLostChanges: boolean;
  close(): Promise<void>;
}

/** The store, with this process as the only writer. */
async function openTarget({
  directory,
  settings,
  log,
  now,
  encoder,
}: ImportOptions): Promise<Target> {
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
  const disk = new DiskBarrier(directory);
  const writer = new EntryWriter({
    segments,
    commit: async (key, record) => {
      const committed = await storage.entries.commit(IMPORT_WRITER, key, record);
      disk.wrote(pointerOf(record).segment);
      return committed;
    },
    now,
    encoder,
  });
  const { clearVersion, countsAreSure } = storage.entries;
  const close = async (): Promise<void> => {
    await disk.close();
    await storage.close();
  };
  return { writer, disk, clearVersion, hasLostChanges: !countsAreSure, close };
}
