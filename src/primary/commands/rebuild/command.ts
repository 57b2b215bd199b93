/**
 * `bigcache rebuild`: opens the directory although its index may be missing, tells how far it is,
 * reports, and maps the outcome to an exit code.
 */
import { openForRebuild } from '../../directory/stopped-store.ts';
import { INTERRUPTED } from '../../exit.ts';
import { whileStopped } from '../failures.ts';
import { Progress, type ProgressOutput, STDERR } from '../progress.ts';
import { showBytes } from '../sizes.ts';
import { type RebuildResult, rebuildIndex } from './rebuild-run.ts';
import { refuseSoundIndex } from './sound-index.ts';

export interface RebuildFlags {
  /** Whether entries come back as valid. */
  readonly isTrusted: boolean;
  /** Whether an index that is sound is made anew too. */
  readonly isForced: boolean;
}

/** Rebuilds the index of the store in `dbPath`; resolves with the exit code. */
export async function runRebuild(
  dbPath: string,
  { isTrusted, isForced }: RebuildFlags,
  out: (text: string) => void,
  terminal: ProgressOutput = STDERR,
): Promise<number> {
  const advice = 'stop that server first';
  return await whileStopped(
    () => openForRebuild(dbPath),
    advice,
    async (directory, interruption) => {
      const progress = new Progress(terminal, { unit: 'bytes' });
      try {
        if (!isTrusted && !isForced) {
          await refuseSoundIndex(directory, () => interruption.signal.throwIfAborted());
        }
        const result = await rebuildIndex({
          directory,
          isTrusted,
          now: Date.now,
          onProgress: (share, bytes) => progress.show(share, bytes),
          shouldStop: () => interruption.requested,
        });
        progress.end();
        out(result === undefined ? 'interrupted; nothing was changed\n' : report(result));
        return result === undefined ? INTERRUPTED : 0;
      } finally {
        progress.end();
      }
    },
  );
}

/** The report, ending with a line break. */
export function report(result: RebuildResult): string {
  const { path, entries, expired, counts, oldIndex } = result;
  const lines = [
    `${entries} entries in the new index of ${path}, ${expired} of them expired`,
    `read: ${counts.segments} segments, ${showBytes(counts.bytes)}, ${counts.appends} appends`,
    ...countLines(result),
  ];
  if (oldIndex !== undefined) lines.push(`the old index is in quarantine/${oldIndex}`);
  if (result.hasNewIdentity)
    lines.push('bigcache.json was missing or damaged; a new one was written');
  lines.push(...adviceLines(result));
  return `${lines.join('\n')}\n`;
}

/** What was left out, and why; nothing of what did not happen. */
function countLines({ counts, quarantined }: RebuildResult): string[] {
  const { tornTails, damagedPlaces } = counts;
  const lines: [string, number, string?][] = [
    ['left out, stored again later', counts.displaced],
    ['left out, void', counts.voidAppends],
    ['left out, body damaged', counts.damagedBodies],
    ['left out, written by no version of this format', counts.foreignAppends],
    ['ends left by killed writers', tornTails, showBytes(counts.tornBytes)],
    ['damaged places given up', damagedPlaces, showBytes(counts.damagedBytes)],
    ['damaged segments without entries, moved to quarantine/', quarantined.length],
  ];
  return lines
    .filter(([, count]) => count > 0)
    .map(([what, count, size]) => `${what}: ${count}${size === undefined ? '' : ` (${size})`}`);
}

function adviceLines({ isTrusted }: RebuildResult): string[] {
  if (isTrusted) return ['deleted and purged entries may have come back as valid'];
  return [
    'deleted and purged entries may have come back, so all entries are stale: reads of them miss with',
    '"expired" until they are stored again, but for those under /v1 that take stale entries with',
    'Cache-Control: max-stale; where nothing was deleted or purged, or it does not matter, run it again',
    'with --trust before the next start',
  ];
}
