/** Rounds of damage in child processes: runs them, counts what came of them, and says what must not be. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { FileKind } from './damaging.ts';
import type { Pristine } from './pristine-store.ts';
import type { RoundResult } from './round.ts';

const PROCESS = fileURLToPath(new URL('./rounds-process.ts', import.meta.url));

export interface RoundsOptions {
  readonly pristinePath: string;
  readonly pristine: Pristine;
  readonly scratch: string;
  readonly seed: number;
  readonly rounds: number;
  /** All kinds in turn when it is not given. */
  readonly kind?: FileKind;
}

export interface Outcome {
  readonly results: readonly RoundResult[];
  /** Rounds in which the process ended by a signal or an exception. */
  readonly crashes: readonly string[];
}

/** Runs all rounds; a process that ends early is followed by another, from the next round on. */
export async function runRounds(options: RoundsOptions): Promise<Outcome> {
  const results: RoundResult[] = [];
  const crashes: string[] = [];
  for (let from = 0; from < options.rounds; ) {
    let begun = from;
    let done = from - 1;
    const job = JSON.stringify({ ...options, from, to: options.rounds });
    const child = spawn(process.execPath, ['--import', 'tsx', PROCESS, job], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-2000);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = JSON.parse(line) as RoundResult | { readonly begins: number };
      if ('begins' in message) begun = message.begins;
      else {
        results.push(message);
        done = message.round;
      }
    });
    const [code, signal] = await once(child, 'close');
    if (done < begun) crashes.push(`round ${begun}: ${signal ?? code}: ${stderr}`);
    from = begun + 1;
  }
  return { results, crashes };
}

/** What a round must never end with, in one line each. */
export function faultsOf(result: RoundResult): string[] {
  const { kind, wrong, hung, told, write } = result;
  const live = result.right + result.missing + result.older + result.failed;
  const faults: string[] = [];
  if (wrong.length > 0) faults.push(`wrong bytes of ${wrong.join(', ')}`);
  if (hung.length > 0) faults.push(`hangs: ${hung.join(', ')}`);
  if (!write.startsWith('done') && result.refused === undefined) faults.push(`a write: ${write}`);
  // Long bodies of which a later block is damaged break off; there are three of them.
  if (result.failed > 3) faults.push(`${result.failed} reads refused`);
  if (result.missing > live / 10 && told.length === 0) faults.push('a silent wipe');
  const rolledBack = result.older + result.returned;
  // After a kill the end of a log may be cut, which nobody can tell from damage.
  const mayLoseTail = kind === 'log' && (told.length > 0 || result.isUnsealed);
  // LevelDB's sequence numbers and types in a table have no checksum that it looks at.
  const rolledBackMax = mayLoseTail ? Number.POSITIVE_INFINITY : kind === 'table' ? 1 : 0;
  if (rolledBack > rolledBackMax) faults.push(`${rolledBack} entries rolled back`);
  return faults;
}

/** The figures of the rounds of one kind of file, in one line. */
export function figuresOf(kind: FileKind, { results }: Outcome): string {
  const own = results.filter((result) => result.kind === kind);
  const count = (is: (result: RoundResult) => boolean): number => own.filter(is).length;
  const sum = (of: (result: RoundResult) => number): number =>
    own.reduce((total, result) => total + of(result), 0);
  return [
    `${kind}: ${own.length} rounds`,
    `${count(({ refused }) => refused !== undefined)} refused`,
    `${count((one) => one.refused === undefined && one.told.length > 0)} opened and reported`,
    `${sum(({ missing }) => missing)} misses`,
    `${sum(({ failed }) => failed)} reads refused`,
    `${count(({ write }) => write.startsWith('refused'))} writes refused`,
    `${sum(({ older, returned }) => older + returned)} rolled back`,
    `${sum(({ wrong }) => wrong.length)} wrong, ${sum(({ hung }) => hung.length)} hung`,
  ].join(', ');
}
