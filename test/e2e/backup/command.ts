/**
 * The built command line run by a test, with what it printed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { PRIMARY } from '../server-process.ts';

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A command that has been started; `outcome` resolves when it has ended. */
export interface RunningCommand {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
}

export function startCommand(...args: readonly string[]): RunningCommand {
  return startProgram(process.execPath, [PRIMARY, ...args]);
}

export function startProgram(program: string, args: readonly string[]): RunningCommand {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const outcome = once(child, 'close').then(([code]) => ({ code, out, err }));
  return { child, outcome };
}

export const runCommand = (...args: readonly string[]): Promise<Outcome> =>
  startCommand(...args).outcome;
