/**
 * Brings a backup back: prepares the restored store inside the directory, in the primary or in the
 * command's process, then swaps it for what is there. Nothing of the present store is touched before
 * the backup is found whole, and nothing of it is ever deleted.
 */
import { mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { segmentFileName, segmentIdOf } from '../../../segments/format.ts';
import { claimPlace, writeIdentity } from '../../directory/directory.ts';
import { holdsStoreFiles } from '../../directory/directory-survey.ts';
import { syncDirectory, syncFiles } from '../../directory/durable-files.ts';
import { RestoreSwap } from '../../directory/restore-swap.ts';
import { settleDirectory } from '../../directory/settle.ts';
import { CannotRunError } from '../../exit.ts';
import { RateLimit } from '../space/rate-limit.ts';
import type { Storage } from '../storage.ts';
import { FilePlacer, type Placed } from './file-placer.ts';
import { asRefusal } from './refusals.ts';
import { RestoreSource } from './restore-source.ts';
import { checkIndex, raiseNumbers } from './restored-index.ts';
import { ShareDone } from './share-done.ts';

export interface RestoreRequest {
  /** Absolute path of the backup. */
  readonly from: string;
  /** Bytes that are copied per second at most, where there can be no links. */
  readonly bytesPerSecond: number;
  /** Ends the restore before the swap; nothing is changed then. */
  readonly signal: AbortSignal;
  readonly onProgress?: (share: number, entries: number) => void;
}

export interface RestoreResult extends Readonly<Placed> {
  readonly path: string;
  readonly entries: number;
  /** Where the store of before is; undefined when there was none. */
  readonly replaced: string | undefined;
  /** How long the store was closed; 0 without a server. */
  readonly closedMs: number;
  readonly elapsedMs: number;
}

/** A restored store that waits in the directory to take its place. */
interface Prepared {
  readonly swap: RestoreSwap;
  readonly entries: number;
  readonly placed: Placed;
}

/**
 * Restores into a directory without a server, made when it is missing. Throws a CannotRunError when it
 * holds a store and `replace` is false, and for a backup that is not whole.
 */
export async function restoreOffline(
  dbPath: string,
  request: RestoreRequest,
  replace: boolean,
): Promise<RestoreResult> {
  const startedAtMs = performance.now();
  const isNew = (await stat(dbPath).catch(() => undefined)) === undefined;
  const { path, release } = await claimPlace(dbPath);
  try {
    return await refusing(path, async () => {
      await settleDirectory(path);
      const isThere = await holdsStoreFiles(path);
      if (isThere && !replace) {
        throw new CannotRunError(
          `${path} holds a store; with --replace it is moved to quarantine/ and the backup takes its place`,
        );
      }
      const { swap, entries, placed } = await prepare(path, request, {});
      await swap.decide();
      await swap.apply();
      await swap.finish();
      const replaced = isThere ? swap.shelterPath : undefined;
      const elapsedMs = performance.now() - startedAtMs;
      return { path, entries, replaced, ...placed, closedMs: 0, elapsedMs };
    });
  } catch (error) {
    if (isNew) await rmdir(path).catch(() => undefined);
    throw error;
  } finally {
    await release();
  }
}

/** What an online restore works on. */
export interface OnlineRestore {
  readonly storage: Storage;
  readonly directory: { readonly path: string; readonly instanceId: string };
  /** Tells every worker to give up its descriptor of a segment. */
  readonly onDrop: (segment: number) => void;
}

/**
 * Restores under a running server: storage requests are answered with STORE_CLOSED while the files are
 * swapped. The store keeps its instance id, since its versions and segment ids go on from where they
 * were.
 */
export async function restoreOnline(
  { storage, directory, onDrop }: OnlineRestore,
  request: RestoreRequest,
): Promise<RestoreResult> {
  const startedAtMs = performance.now();
  const { path, instanceId } = directory;
  return await refusing(path, async () => {
    if (!storage.isOpen) throw new CannotRunError('the store is closed; open it with POST /open');
    const { swap, entries, placed } = await prepare(path, request, { instanceId });
    const before = segmentIdsIn(await readdir(join(path, 'segments')));
    const closedAtMs = performance.now();
    try {
      await storage.replaceFiles({
        apply: async (unused) => {
          const index = join(swap.partialPath, 'index');
          await raiseNumbers(index, unused);
          await syncFiles(index);
          const known = [...before, ...segmentIdsIn(await readdir(join(path, 'segments')))];
          await swap.decide();
          await swap.apply();
          // A descriptor that a worker has open is of the store of before.
          for (const id of new Set(known)) onDrop(id);
        },
        undo: () => swap.undo(),
      });
    } catch (error) {
      await swap.discard();
      throw error;
    }
    const closedMs = performance.now() - closedAtMs;
    await swap.finish();
    return {
      path,
      entries,
      replaced: swap.shelterPath,
      ...placed,
      closedMs,
      elapsedMs: performance.now() - startedAtMs,
    };
  });
}

/**
 * Makes the restored store in the directory, beside what is there. Throws when the backup is not whole;
 * then nothing is left of it.
 */
async function prepare(
  path: string,
  request: RestoreRequest,
  identity: { instanceId?: string },
): Promise<Prepared> {
  const source = await RestoreSource.open(request.from, path);
  const swap = new RestoreSwap(path, Date.now());
  try {
    const placer = new FilePlacer({
      pace: new RateLimit(request.bytesPerSecond),
      signal: request.signal,
      onBytes: (bytes) => done.placed(bytes),
    });
    const done = new ShareDone(request.onProgress);
    const target = swap.partialPath;
    await mkdir(join(target, 'index'), { recursive: true });
    await mkdir(join(target, 'segments'));
    for (const name of await source.indexFiles()) {
      await placer.place(join(source.indexPath, name), join(target, 'index', name));
    }
    const index = await checkIndex(join(target, 'index'), request.signal);
    source.requireWhole(index);
    const segments = await source.segmentsFor(index);
    done.expect(
      index.entries,
      segments.reduce((sum, { bytes }) => sum + bytes, 0),
    );
    done.exported(index.entries);
    for (const { id } of segments) {
      const name = segmentFileName(id);
      await placer.place(join(source.segmentsPath, name), join(target, 'segments', name));
    }
    await syncFiles(join(target, 'index'));
    await syncDirectory(join(target, 'segments'));
    await writeIdentity(target, identity);
    await syncDirectory(path);
    request.signal.throwIfAborted();
    return { swap, entries: index.entries, placed: placer.placed };
  } catch (error) {
    await swap.discard();
    throw request.signal.aborted ? request.signal.reason : error;
  } finally {
    await source.release();
  }
}

async function refusing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asRefusal(error, 'restore', path);
  }
}

function segmentIdsIn(names: readonly string[]): number[] {
  return names.map(segmentIdOf).filter((id) => id !== undefined);
}
