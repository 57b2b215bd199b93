/**
 * A disk that forgets. It is built from the record of a run; at any point of it the power may fail.
 * Then a file keeps what was written before the last sync that had returned began; of what was
 * written since, nothing, a part or all. A directory keeps the names of before its last sync; of the
 * changes since, some of the first, in their order.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DiskAction, DiskEvent } from './trace.ts';

interface Timed {
  readonly began: number;
  readonly ended: number;
}

type Change = Timed & ({ at: number; data: Buffer } | { size: number });
type Rename = Timed & { readonly changes: readonly (readonly [string, Node | undefined])[] };

class LossyFile {
  readonly changes: Change[] = [];
  readonly syncs: Timed[] = [];
  size = 0;
}

class LossyDirectory {
  readonly changes: Rename[] = [];
  readonly syncs: Timed[] = [];
  readonly now = new Map<string, Node>();
}

type Node = LossyFile | LossyDirectory;

const PAGE_BYTES = 4096;
const EMPTY = Buffer.alloc(0);

export class LossyDisk {
  readonly #root = new LossyDirectory();

  /** REQUIRES: the events are in the order of `readTrace`. */
  constructor(events: readonly DiskEvent[]) {
    for (const event of events) this.#apply(event.action, event);
  }

  /**
   * Makes the directory `target` what a restart would find if the power had failed after the place
   * `point` of the record. `random` gives numbers in [0, 1).
   */
  async failAt(point: number, target: string, random: () => number): Promise<void> {
    await restore(this.#root, target, point, random);
  }

  /**
   * The files that differ from those in `actual` when nothing is lost; none where all is recorded.
   * Those with a write that was cut off are not compared.
   */
  differences(actual: string): Promise<string[]> {
    return differences(this.#root, actual, '');
  }

  #apply(action: DiskAction, timed: Timed): void {
    const { began, ended } = timed;
    switch (action.kind) {
      case 'create': {
        let file = this.#find(action.path);
        if (file === undefined) this.#rename({ began, ended }, [action.path, new LossyFile()]);
        file = this.#find(action.path);
        if (action.truncates && file instanceof LossyFile && file.size > 0) {
          file.changes.push({ began, ended, size: 0 });
          file.size = 0;
        }
        return;
      }
      case 'write': {
        const file = this.#file(action.path);
        const at = action.at ?? file.size;
        file.changes.push({ began, ended, at, data: action.data });
        file.size = Math.max(file.size, at + action.data.length);
        return;
      }
      case 'truncate': {
        const file = this.#file(action.path);
        file.changes.push({ began, ended, size: action.size });
        file.size = action.size;
        return;
      }
      case 'sync':
        this.#find(action.path)?.syncs.push({ began, ended });
        return;
      case 'mkdir':
        if (action.path !== '') this.#rename(timed, [action.path, new LossyDirectory()]);
        return;
      case 'unlink':
        this.#rename(timed, [action.path, undefined]);
        return;
      case 'link':
        this.#rename(timed, [action.to, this.#find(action.path)]);
        return;
      case 'rename':
        if (dirname(action.path) !== dirname(action.to)) throw new Error('a rename to elsewhere');
        this.#rename(timed, [action.to, this.#find(action.path)], [action.path, undefined]);
    }
  }

  /** Gives the names of one directory to other nodes, or to none, in one step. */
  #rename({ began, ended }: Timed, ...names: [string, Node | undefined][]): void {
    const parent = this.#find(dirname(names[0]?.[0] ?? '').replace(/^\.$/, ''));
    if (!(parent instanceof LossyDirectory)) throw new Error(`no directory of ${names[0]?.[0]}`);
    const changes = names.map(([path, node]) => [basename(path), node] as const);
    parent.changes.push({ began, ended, changes });
    for (const [name, node] of changes) setName(parent.now, name, node);
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path.split('/').filter(Boolean)) {
      node = node instanceof LossyDirectory ? node.now.get(name) : undefined;
    }
    return node;
  }

  #file(path: string): LossyFile {
    const node = this.#find(path);
    if (node instanceof LossyFile) return node;
    throw new Error(`a write to ${path}, which was never created`);
  }
}

function setName(names: Map<string, Node>, name: string, node: Node | undefined): void {
  if (node === undefined) names.delete(name);
  else names.set(name, node);
}

/** Splits what happened by `point` into what is surely on disk and what may be. */
function split<T extends Timed>(
  changes: readonly T[],
  syncs: readonly Timed[],
  point: number,
): { kept: T[]; loose: T[] } {
  let synced = Number.NEGATIVE_INFINITY;
  for (const sync of syncs) if (sync.ended <= point) synced = Math.max(synced, sync.began);
  const happened = changes.filter(({ began }) => began <= point);
  return {
    kept: happened.filter(({ ended }) => ended < synced),
    loose: happened.filter(({ ended }) => ended >= synced),
  };
}

async function restore(
  directory: LossyDirectory,
  target: string,
  point: number,
  random: () => number,
): Promise<void> {
  const { kept, loose } = split(directory.changes, directory.syncs, point);
  const returned = loose.filter(({ ended }) => ended <= point);
  const names = new Map<string, Node>();
  for (const { changes } of [...kept, ...someOf(returned, random)]) {
    for (const [name, node] of changes) setName(names, name, node);
  }
  await mkdir(target, { recursive: true });
  for (const [name, node] of names) {
    const path = join(target, name);
    if (node instanceof LossyDirectory) await restore(node, path, point, random);
    else await writeFile(path, contentAt(node, point, random));
  }
}

/** The first of `items`: none, all, or some. */
function someOf<T>(items: readonly T[], random: () => number): readonly T[] {
  const dice = random();
  if (dice < 0.4) return [];
  return dice < 0.7 ? items : items.slice(0, Math.floor(random() * (items.length + 1)));
}

/** A file after the failure: what is surely there, and of the rest nothing, all, a prefix or pages. */
function contentAt(file: LossyFile, point: number, random: () => number): Buffer {
  const { kept, loose } = split(file.changes, file.syncs, point);
  const durable = replay(kept, EMPTY);
  if (loose.length === 0) return durable;
  const dice = random();
  if (dice < 0.3) return durable;
  if (dice < 0.45) return replay(loose, durable);
  if (dice < 0.7) return withPrefix(durable, loose, random);
  return withPages(durable, replay(loose, durable), random);
}

/** The last write of the prefix is cut anywhere. */
function withPrefix(durable: Buffer, loose: readonly Change[], random: () => number): Buffer {
  const last = Math.floor(random() * loose.length);
  const content = replay(loose.slice(0, last), durable);
  const cut = loose[last];
  if (cut === undefined || !('data' in cut)) return content;
  const data = cut.data.subarray(0, Math.floor(random() * cut.data.length));
  return replay([{ ...cut, data }], content);
}

/** Each page that differs is the old or the new one; a page that is not there reads as zeros. */
function withPages(before: Buffer, after: Buffer, random: () => number): Buffer {
  const size = random() < 0.5 ? after.length : Math.min(before.length, after.length);
  const content = Buffer.alloc(size);
  before.copy(content);
  for (let at = 0; at < size; at += PAGE_BYTES) {
    if (random() < 0.5) after.copy(content, at, at, Math.min(at + PAGE_BYTES, after.length));
  }
  return content;
}

function replay(changes: readonly Change[], from: Buffer): Buffer {
  let size = from.length;
  for (const one of changes) {
    size = 'size' in one ? one.size : Math.max(size, one.at + one.data.length);
  }
  let content = Buffer.alloc(Math.max(size, from.length));
  from.copy(content);
  for (const one of changes) {
    if ('size' in one) {
      const resized = Buffer.alloc(Math.max(size, one.size));
      content.copy(resized, 0, 0, one.size);
      content = resized;
    } else {
      if (one.at + one.data.length > content.length) {
        content = Buffer.concat([content], one.at + one.data.length);
      }
      one.data.copy(content, one.at);
    }
  }
  return content.subarray(0, size);
}

async function differences(
  directory: LossyDirectory,
  actual: string,
  path: string,
): Promise<string[]> {
  const found: string[] = [];
  const names = new Set([...directory.now.keys(), ...(await readdir(actual))]);
  for (const name of names) {
    const node = directory.now.get(name);
    const below = join(path, name);
    if (node instanceof LossyDirectory) {
      found.push(...(await differences(node, join(actual, name), below)));
      continue;
    }
    const bytes = await readFile(join(actual, name)).catch(() => undefined);
    if (node?.changes.some(({ ended }) => ended === Number.POSITIVE_INFINITY)) continue;
    const isSame =
      node !== undefined && bytes !== undefined && replay(node.changes, EMPTY).equals(bytes);
    if (!isSame) found.push(below);
  }
  return found;
}
