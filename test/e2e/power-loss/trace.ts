/**
 * What strace saw of a server's files, in the order in which it saw it: every change of a file or a
 * name below one directory, and every sync. Lines of one strace are in one order over all processes.
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A change or a sync. Paths are relative to the directory; '' is the directory itself. */
export type DiskAction =
  | { readonly kind: 'create'; readonly path: string; readonly truncates: boolean }
  | { readonly kind: 'write'; readonly path: string; readonly data: Buffer; readonly at?: number }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'sync'; readonly path: string }
  | { readonly kind: 'mkdir'; readonly path: string }
  | { readonly kind: 'unlink'; readonly path: string }
  | { readonly kind: 'link' | 'rename'; readonly path: string; readonly to: string };

export interface DiskEvent {
  readonly action: DiskAction;
  /** The places in the record where the call began and where it returned. */
  readonly began: number;
  /** Infinite for a write that was cut off by the end of its process: nobody knows what it did. */
  readonly ended: number;
  /** Unix milliseconds of both. */
  readonly beganAtMs: number;
  readonly endedAtMs: number;
}

/** The calls that are recorded: all that may change a file or a name, and all that sync. */
export const TRACED_CALLS = [
  'open,openat,openat2,creat,write,pwrite64,writev,pwritev,pwritev2,copy_file_range,sendfile,splice',
  'ftruncate,truncate,fallocate,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink',
  'unlinkat,mkdir,mkdirat,rmdir,fdatasync,fsync,sync_file_range,sync,syncfs,msync',
].join(',');

interface Call {
  readonly text: string;
  readonly began: number;
  readonly beganAtMs: number;
}

const LINE = /^(\d+)\s+(\d+\.\d+) (.*)$/s;
const UNFINISHED = ' <unfinished ...>';
/** How a call ends whose process was killed before it returned. */
const CUT_OFF = /\)\s+= \?[^"]*$/;
/** Stands for the result of a write that never returned. */
const WHOLE = Number.MAX_SAFE_INTEGER;
const RESUMED = /^<\.\.\. \w+ resumed>/;

/** Reads the record of one strace; `from` is the place of its first line, after earlier records. */
export async function readTrace(
  file: string,
  directory: string,
  from: number,
): Promise<{ events: DiskEvent[]; next: number }> {
  const events: DiskEvent[] = [];
  const open = new Map<string, Call>();
  let place = from;
  for await (const line of createInterface({ input: createReadStream(file, 'latin1') })) {
    place += 1;
    const [, thread, seconds, text] = LINE.exec(line) ?? [];
    if (thread === undefined || seconds === undefined || text === undefined) continue;
    const nowMs = Number(seconds) * 1000;
    if (text.endsWith(UNFINISHED)) {
      const begun = text.slice(0, -UNFINISHED.length);
      open.set(thread, { text: begun, began: place, beganAtMs: nowMs });
      continue;
    }
    let call: Call = { text, began: place, beganAtMs: nowMs };
    if (RESUMED.test(text)) {
      const begun = open.get(thread);
      open.delete(thread);
      if (begun === undefined) continue;
      call = { ...begun, text: begun.text + text.replace(RESUMED, '') };
    }
    if (CUT_OFF.test(call.text)) {
      open.set(`${thread}, cut off`, { ...call, text: call.text.replace(CUT_OFF, '') });
      continue;
    }
    const action = actionOf(call.text, directory);
    const { began, beganAtMs } = call;
    if (action !== undefined) {
      events.push({ action, began, ended: place, beganAtMs, endedAtMs: nowMs });
    }
  }
  for (const { text, began, beganAtMs } of open.values()) {
    const action = actionOf(`${text}) = ${WHOLE}`, directory);
    if (action?.kind !== 'write') continue;
    events.push({ action, began, ended: Number.POSITIVE_INFINITY, beganAtMs, endedAtMs: Infinity });
  }
  events.sort((one, other) => placeOf(one) - placeOf(other));
  return { events, next: place };
}

/** Where an event belongs: where its call returned, or began if it never did. */
function placeOf({ began, ended }: DiskEvent): number {
  return Number.isFinite(ended) ? ended : began;
}

const CALL = /^(\w+)\((.*)\)\s+= (-?\d+)(?:<([^>]*)>)?/s;
/** Paths and data are in hexadecimal, so nothing in them looks like punctuation. */
const STRING = /"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?/g;
const DESCRIPTOR = /^\d+<((?:\\x[0-9a-f]{2})+)>/;
const VECTOR = /\{iov_base="((?:\\x[0-9a-f]{2})*)", iov_len=\d+\}/g;

/** What a call did below `directory`; undefined for what failed or went elsewhere. */
function actionOf(text: string, directory: string): DiskAction | undefined {
  const [, name, args, result, returned] = CALL.exec(text) ?? [];
  if (name === undefined || args === undefined || Number(result) < 0) return undefined;
  const below = (path: string): string | undefined => {
    if (path === directory) return '';
    return path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : undefined;
  };
  const paths = (): (string | undefined)[] =>
    [...args.matchAll(STRING)].map(([, hex]) => below(fromHex(hex ?? '').toString()));
  const [path, to] = /^(?:write|pwrite)/.test(name) ? [] : paths();
  switch (name) {
    case 'open':
    case 'openat':
    case 'creat': {
      const opened = below(fromHex(returned ?? '').toString());
      if (opened === undefined || !/O_CREAT|O_TRUNC/.test(args)) return undefined;
      return { kind: 'create', path: opened, truncates: args.includes('O_TRUNC') };
    }
    case 'rename':
    case 'renameat':
    case 'renameat2':
    case 'link':
    case 'linkat':
      if (path === undefined || to === undefined) return undefined;
      return { kind: name.startsWith('link') ? 'link' : 'rename', path, to };
    case 'mkdir':
    case 'mkdirat':
      return path === undefined ? undefined : { kind: 'mkdir', path };
    case 'unlink':
    case 'unlinkat':
    case 'rmdir':
      return path === undefined ? undefined : { kind: 'unlink', path };
    default: {
      const file = below(fromHex(DESCRIPTOR.exec(args)?.[1] ?? '').toString());
      if (file === undefined || file.endsWith(' (deleted)')) return undefined;
      return fileAction(name, file, args, Number(result));
    }
  }
}

function fileAction(name: string, path: string, args: string, result: number): DiskAction {
  switch (name) {
    case 'fdatasync':
    case 'fsync':
      return { kind: 'sync', path };
    case 'ftruncate':
      return { kind: 'truncate', path, size: numberAtEnd(args) };
    case 'write':
    case 'writev':
      return { kind: 'write', path, data: written(args, result) };
    case 'pwrite64':
    case 'pwritev':
      return { kind: 'write', path, data: written(args, result), at: numberAtEnd(args) };
    default:
      throw new Error(`the recorder does not know what ${name} did to ${path}`);
  }
}

function written(args: string, bytes: number): Buffer {
  const strings = args.includes('iov_base=') ? args.matchAll(VECTOR) : args.matchAll(STRING);
  const data = Buffer.concat([...strings].map(([, hex]) => fromHex(hex ?? '')));
  if (bytes === WHOLE) return data;
  if (data.length < bytes) throw new Error(`a write of ${bytes} bytes was recorded in part`);
  return data.subarray(0, bytes);
}

function numberAtEnd(args: string): number {
  return Number(/, (\d+)$/.exec(args)?.[1]);
}

function fromHex(escaped: string): Buffer {
  return Buffer.from(escaped.replaceAll('\\x', ''), 'hex');
}

/** Where strace keeps the record of a run. */
export function traceFile(directory: string, run: number): string {
  return join(directory, `trace-${run}`);
}
