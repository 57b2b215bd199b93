/**
 * The file of the visited bits, `visited` in the store's directory: a page with a header, then the bits,
 * written in place by the primary. docs/storage-format.md describes it. It holds hints alone, so it is
 * never synced, and whatever is wrong with it means only that no entry is known to have been read.
 */
import { type FileHandle, open } from 'node:fs/promises';
import type { Logger } from 'pino';
import { CHECKSUM_BYTES, checksumMatches, writeChecksum } from '../../../segments/checksum.ts';

/** On disk: never change, make a new format. */
export const VISITED_PAGE_BYTES = 4096;
export const VISITED_PAGES = 4096;

const MAGIC = Buffer.from('BigCVis\n', 'latin1');
const FORMAT = 1;
const HEADER_BYTES = 64;
const CHECKSUM_AT = HEADER_BYTES - CHECKSUM_BYTES;
const FILE_BYTES = (1 + VISITED_PAGES) * VISITED_PAGE_BYTES;
/** Pages in one read or write: 1 MiB. */
const PAGES_AT_ONCE_MAX = 256;
const DAMAGED = 'the file of the visited bits is damaged: no entry is known to have been read';
const ZERO_PAGE = Buffer.alloc(VISITED_PAGE_BYTES);

function encodeHeader(): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(FORMAT, 8);
  bytes.writeUInt32LE(VISITED_PAGE_BYTES, 12);
  bytes.writeUInt32LE(VISITED_PAGES, 16);
  writeChecksum(bytes.subarray(0, CHECKSUM_AT), bytes, CHECKSUM_AT);
  return bytes;
}

const HEADER = encodeHeader();

export class VisitedFile {
  readonly #path: string;
  /** Whether the file is ours and whole, so that it is enough to write what changed. */
  #isSound = false;
  #saving: Promise<boolean> | undefined;
  /** Whether the last save failed: then the next failure is not told again. */
  #hasFailed = false;
  readonly #log: Pick<Logger, 'warn'>;

  constructor(path: string, log: Pick<Logger, 'warn'>) {
    this.#path = path;
    this.#log = log;
  }

  /** Reads the file into `bits`. They are all zeros when it cannot be read to its end. */
  async load(bits: Uint8Array): Promise<void> {
    forgetAll(bits);
    try {
      const handle = await open(this.#path, 'r');
      try {
        this.#isSound = await readWhole(handle, bits);
      } finally {
        await handle.close();
      }
      if (!this.#isSound) this.#log.warn({ file: this.#path }, DAMAGED);
    } catch (error) {
      if (systemError(error).code !== 'ENOENT') this.#log.warn({ err: error }, DAMAGED);
    }
    if (!this.#isSound) forgetAll(bits);
  }

  save(bits: Uint8Array, dirtyPages: Uint8Array): Promise<boolean> {
    this.#saving ??= this.#save(bits, dirtyPages).finally(() => {
      this.#saving = undefined;
    });
    return this.#saving;
  }

  async #save(bits: Uint8Array, dirtyPages: Uint8Array): Promise<boolean> {
    try {
      if (this.#isSound) await this.#update(bits, dirtyPages);
      else await this.#make(bits, dirtyPages);
      this.#hasFailed = false;
      return true;
    } catch (error) {
      // Somebody took it away, so the next save has to write all of it.
      if (systemError(error).code === 'ENOENT') this.#isSound = false;
      if (!this.#hasFailed) this.#log.warn({ err: error }, 'the visited bits cannot be saved');
      this.#hasFailed = true;
      return false;
    }
  }

  async #update(bits: Uint8Array, dirtyPages: Uint8Array): Promise<void> {
    if (!dirtyPages.includes(1)) return;
    const handle = await open(this.#path, 'r+');
    try {
      await writeDirty(handle, bits, dirtyPages);
    } finally {
      await handle.close();
    }
  }

  /** Makes the file anew. Its header comes last: a file that is not whole is not taken for one. */
  async #make(bits: Uint8Array, dirtyPages: Uint8Array): Promise<void> {
    for (let page = 0; page < VISITED_PAGES; page++) {
      dirtyPages[page] = isZero(pagesOf(bits, page, page + 1)) ? 0 : 1;
    }
    const handle = await open(this.#path, 'w');
    try {
      // What is never written stays a hole, which takes no room on disk.
      await handle.truncate(FILE_BYTES);
      await writeDirty(handle, bits, dirtyPages);
      await writeAll(handle, HEADER, 0);
    } finally {
      await handle.close();
    }
    this.#isSound = true;
  }
}

/** Whether the file was whole and is now in `bits`; pages of zeros are left untouched there. */
async function readWhole(handle: FileHandle, bits: Uint8Array): Promise<boolean> {
  const { size } = await handle.stat();
  if (size !== FILE_BYTES) return false;
  const header = Buffer.alloc(HEADER_BYTES);
  await handle.read(header, 0, HEADER_BYTES, 0);
  if (!checksumMatches(header.subarray(0, CHECKSUM_AT), header, CHECKSUM_AT)) return false;
  if (!header.equals(HEADER)) return false;
  const piece = Buffer.alloc(PAGES_AT_ONCE_MAX * VISITED_PAGE_BYTES);
  for (let from = 0; from < bits.length; from += piece.length) {
    const { bytesRead } = await handle.read(piece, 0, piece.length, VISITED_PAGE_BYTES + from);
    if (bytesRead !== piece.length) return false;
    for (let at = 0; at < piece.length; at += VISITED_PAGE_BYTES) {
      const page = piece.subarray(at, at + VISITED_PAGE_BYTES);
      if (!isZero(page)) bits.set(page, from + at);
    }
  }
  return true;
}

/** Writes every dirty page, neighbours together. What fails stays dirty, as does what comes after. */
async function writeDirty(
  handle: FileHandle,
  bits: Uint8Array,
  dirtyPages: Uint8Array,
): Promise<void> {
  for (let from = 0; from < VISITED_PAGES; from++) {
    if (dirtyPages[from] === 0) continue;
    let end = from + 1;
    while (dirtyPages[end] === 1 && end - from < PAGES_AT_ONCE_MAX) end += 1;
    // Clean from here on: what is marked while the write is under way makes a page dirty again.
    dirtyPages.fill(0, from, end);
    try {
      await writeAll(handle, pagesOf(bits, from, end), (1 + from) * VISITED_PAGE_BYTES);
    } catch (error) {
      dirtyPages.fill(1, from, end);
      throw error;
    }
    from = end - 1;
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }
}

function pagesOf(bits: Uint8Array, from: number, end: number): Uint8Array {
  return bits.subarray(from * VISITED_PAGE_BYTES, end * VISITED_PAGE_BYTES);
}

/** Pages of zeros are left untouched: those that were never written still take no room. */
function forgetAll(bits: Uint8Array): void {
  for (let page = 0; page < VISITED_PAGES; page++) {
    const bytes = pagesOf(bits, page, page + 1);
    if (!isZero(bytes)) bytes.fill(0);
  }
}

function isZero(page: Uint8Array): boolean {
  return ZERO_PAGE.equals(page);
}

/** An error of the operating system; anything else is a fault of ours and is thrown on. */
function systemError(error: unknown): NodeJS.ErrnoException {
  if (error instanceof Error && 'errno' in error) return error as NodeJS.ErrnoException;
  throw error;
}
