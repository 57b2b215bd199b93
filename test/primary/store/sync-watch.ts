/**
 * Sees every sync that this process asks for through a FileHandle, by the path of the file, and has
 * chosen ones fail or wait. Ends with the test.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

interface Cleanable {
  after(cleanUp: () => Promise<void>): void;
}

type Sync = (this: FileHandle) => Promise<void>;

export class SyncWatch {
  #synced: string[] = [];
  #failing: { name: string; code: string } | undefined;
  /** Awaited before each sync. */
  hold: Promise<void> = Promise.resolve();

  static async begin(test: Cleanable): Promise<SyncWatch> {
    const watch = new SyncWatch();
    const handle = await open(fileURLToPath(import.meta.url));
    const prototype = Object.getPrototypeOf(handle) as { datasync: Sync; sync: Sync };
    await handle.close();
    const { datasync, sync } = prototype;
    const watched = (original: Sync): Sync =>
      async function (this: FileHandle): Promise<void> {
        watch.#look(readlinkSync(`/proc/self/fd/${this.fd}`));
        await watch.hold;
        await original.call(this);
      };
    Object.assign(prototype, { datasync: watched(datasync), sync: watched(sync) });
    test.after(async () => void Object.assign(prototype, { datasync, sync }));
    return watch;
  }

  /** What was synced below `directory` since the last call, sorted; '' is the directory itself. */
  take(directory: string): string[] {
    return this.takeInOrder(directory).sort();
  }

  takeInOrder(directory: string): string[] {
    const below = this.#synced.filter((path) => path.startsWith(directory));
    this.#synced = [];
    return below.map((path) => path.slice(directory.length + 1));
  }

  /** Has every sync of a file with this name fail; undefined ends that. */
  failOn(name: string | undefined, code: string): void {
    this.#failing = name === undefined ? undefined : { name, code };
  }

  #look(path: string): void {
    this.#synced.push(path);
    const failing = this.#failing;
    if (failing === undefined || !path.endsWith(failing.name)) return;
    throw Object.assign(new Error(`${failing.code}: a sync failed`), { code: failing.code });
  }
}

/** The files below `directory` that this process has open. */
export function openDescriptorsIn(directory: string): string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        // The descriptor that listed the others is gone by now.
        return '';
      }
    })
    .filter((path) => path.startsWith(directory));
}
