/** What the kernel counts for a process, from /proc: CPU, anonymous memory, bytes to and from disk. */
import { readFileSync } from 'node:fs';

export interface ProcessFigures {
  /** utime and stime of all threads, ended ones included; the kernel shows steps of 10 ms. */
  readonly cpuUs: number;
  readonly anonymousBytes: number;
  /** Counted when a page is dirtied, so a page that is written twice between two syncs counts once. */
  readonly writtenBytes: number;
  readonly readBytes: number;
}

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
/** proc(5): utime is field 14; the fields after the command in parentheses start with 3. */
const UTIME_AFTER_COMMAND = 14 - 3;

export function cpuUsOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [utime, stime] = fields.slice(UTIME_AFTER_COMMAND, UTIME_AFTER_COMMAND + 2).map(Number);
  return ((utime ?? 0) + (stime ?? 0)) * (1_000_000 / TICKS_PER_SECOND);
}

/** The number after `name:` in a file of such lines. */
export function numberOf(text: string, name: string): number {
  const digits = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1];
  if (digits === undefined) throw new Error(`there is no ${name}`);
  return Number(digits);
}

export function figuresOf(pid: number): ProcessFigures {
  const read = (file: string): string => readFileSync(`/proc/${pid}/${file}`, 'utf8');
  const io = read('io');
  return {
    cpuUs: cpuUsOf(read('stat')),
    anonymousBytes: numberOf(read('status'), 'RssAnon') * 1024,
    writtenBytes: numberOf(io, 'write_bytes'),
    readBytes: numberOf(io, 'read_bytes'),
  };
}

/** Child processes whose command line starts with `command`, the oldest first. */
export function childrenOf(pid: number, command: string): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const isWanted = (child: number): boolean =>
    readFileSync(`/proc/${child}/cmdline`, 'utf8').startsWith(command);
  return children.trim().split(' ').filter(Boolean).map(Number).filter(isWanted);
}
