/** What happens to one file of a store: flipped bits, runs of other bytes, a cut. */
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The kinds of file that are damaged. */
export const FILE_KINDS = ['segment', 'table', 'log', 'manifest', 'current'] as const;
export type FileKind = (typeof FILE_KINDS)[number];

const NAMES: Readonly<Record<FileKind, RegExp>> = {
  segment: /^\d+\.seg$/,
  table: /^\d+\.ldb$/,
  log: /^\d+\.log$/,
  manifest: /^MANIFEST-\d+$/,
  current: /^CURRENT$/,
};

export const DAMAGES = ['flip', 'run', 'zeros', 'cut'] as const;

/** What was done, in one line. */
export function damageOne(store: string, kind: FileKind, random: () => number): string {
  const folder = join(store, kind === 'segment' ? 'segments' : 'index');
  const files = readdirSync(folder).filter((name) => NAMES[kind].test(name));
  const path = join(folder, pick(files.sort(), random));
  const bytes = readFileSync(path);
  const damage = pick(DAMAGES, random);
  const at = Math.floor(random() * bytes.length);
  const length = Math.min(bytes.length - at, 1 + Math.floor(random() ** 3 * 5000));
  const what = `${basename(path)} of ${bytes.length} bytes: ${damage} at ${at}`;
  if (damage === 'cut') {
    truncateSync(path, at);
    return what;
  }
  if (damage === 'flip') bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
  else {
    for (let nth = at; nth < at + length; nth++) {
      bytes[nth] = damage === 'zeros' ? 0 : Math.floor(random() * 256);
    }
  }
  writeFileSync(path, bytes);
  return damage === 'flip' ? what : `${what}, ${length} bytes`;
}

function pick<T>(from: readonly T[], random: () => number): T {
  const picked = from[Math.floor(random() * from.length)];
  if (picked === undefined) throw new Error('there is nothing to damage');
  return picked;
}
