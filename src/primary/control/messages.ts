/**
 * What a command and the running server say to each other: lines of JSON, one request for each
 * connection. Every line is hostile until it is checked here.
 *
 *     {"op":"status"}
 *     {"op":"backup","to":"/absolute","bytesPerSecond":67108864}
 *     {"op":"restore","from":"/absolute","bytesPerSecond":67108864}
 *
 * The answer is any number of `{"progress":{"share":0.5,"entries":10}}`, then one
 * `{"result":{...}}` or `{"error":{"code","detail"}}`.
 */
import { isAbsolute } from 'node:path';
import type { BackupResult } from '../store/backup/backups.ts';
import type { RestoreResult } from '../store/backup/restore.ts';

/** A path of 4,095 bytes fits, each of them escaped. */
export const LINE_BYTES_MAX = 32 * 1024;
const PATH_BYTES_MAX = 4095;
export const RATE_MIN = 1024 * 1024;
export const RATE_MAX = 100 * 1024 ** 3;

export interface ServerStatus {
  readonly pid: number;
  readonly version: string;
  readonly uptimeMs: number;
}

export type ControlRequest =
  | { readonly op: 'status' }
  | { readonly op: 'backup'; readonly to: string; readonly bytesPerSecond: number }
  | { readonly op: 'restore'; readonly from: string; readonly bytesPerSecond: number };

/** The result of each request. */
export interface ControlResults {
  readonly status: ServerStatus;
  readonly backup: BackupResult;
  readonly restore: RestoreResult;
}

export interface ControlProgress {
  readonly share: number;
  readonly entries: number;
}

export interface ControlFailure {
  readonly code: string;
  readonly detail: string;
}

export type ControlAnswer =
  | { readonly progress: ControlProgress }
  | { readonly result: ControlResults[keyof ControlResults] }
  | { readonly error: ControlFailure };

type Fields = Readonly<Record<string, unknown>>;

/** The request of a line, or a sentence of what is wrong with it. */
export function parseRequest(line: string): ControlRequest | string {
  const fields = parseObject(line);
  if (fields === undefined) return 'a request is a JSON object in one line';
  const { op } = fields;
  if (op === 'status') {
    return hasOnly(fields, ['op']) ? { op } : 'a status takes nothing';
  }
  if (op === 'backup') {
    const { to, bytesPerSecond } = fields;
    const isSound = isPath(to) && isRate(bytesPerSecond);
    if (isSound && hasOnly(fields, ['op', 'to', 'bytesPerSecond']))
      return { op, to, bytesPerSecond };
    return 'a backup takes an absolute path `to` and a rate `bytesPerSecond`';
  }
  if (op === 'restore') {
    const { from, bytesPerSecond } = fields;
    const isSound = isPath(from) && isRate(bytesPerSecond);
    if (isSound && hasOnly(fields, ['op', 'from', 'bytesPerSecond'])) {
      return { op, from, bytesPerSecond };
    }
    return 'a restore takes an absolute path `from` and a rate `bytesPerSecond`';
  }
  return 'the operations are status, backup and restore';
}

/** The answer of a line, or undefined when it is none. */
export function parseAnswer(line: string): ControlAnswer | undefined {
  const fields = parseObject(line);
  if (fields === undefined) return undefined;
  const { progress, result, error } = fields;
  if (isObject(progress)) {
    const { share, entries } = progress;
    const isSound = typeof share === 'number' && typeof entries === 'number';
    return isSound ? { progress: { share, entries } } : undefined;
  }
  if (isObject(error)) {
    const { code, detail } = error;
    const isSound = typeof code === 'string' && typeof detail === 'string';
    return isSound ? { error: { code, detail } } : undefined;
  }
  // Both ends are of one build; what differs is found out by the version in the status.
  return isObject(result) ? { result: result as unknown as ServerStatus } : undefined;
}

function parseObject(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasOnly(fields: Fields, names: readonly string[]): boolean {
  return Object.keys(fields).every((name) => names.includes(name));
}

function isPath(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    isAbsolute(value) &&
    !value.includes('\0') &&
    Buffer.byteLength(value) <= PATH_BYTES_MAX
  );
}

function isRate(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= RATE_MIN && Number(value) <= RATE_MAX;
}
