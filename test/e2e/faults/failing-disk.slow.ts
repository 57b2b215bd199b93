/** A disk whose writes and syncs fail now and then, by the fault injection of strace(1). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withstands } from './under-fault.ts';

const FAULT_MS = 6000;

/** The server as the tracer's own parent, so that its process id is the one that was started. */
function failing(call: string, error: string, when: string): string[] {
  const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:error=${error}:when=${when}`];
  return ['strace', '-D', '-f', '-qqq', '--seccomp-bpf', ...inject, '-o', '/dev/null'];
}

interface Case {
  readonly what: string;
  readonly call: string;
  readonly error: string;
  readonly when: string;
  readonly args?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    what: 'each 40th sync',
    call: 'fdatasync',
    error: 'EIO',
    when: '40+40',
    args: ['--durability', 'always'],
  },
  { what: 'each 20th sync in the background', call: 'fdatasync', error: 'EIO', when: '20+20' },
  {
    what: 'each 100th write into a segment',
    call: 'pwrite64,pwritev',
    error: 'EIO',
    when: '100+100',
  },
  { what: 'each 100th write, of room', call: 'pwrite64,pwritev', error: 'ENOSPC', when: '100+100' },
];

describe('on a disk that fails', () => {
  for (const { what, call, error, when, args = [] } of CASES) {
    it(`and fails ${what}, nothing acknowledged is lost, and writes go on`, async (t) => {
      const run = { under: failing(call, error, when), args, fault: () => sleep(FAULT_MS) };
      const { acknowledged, log } = await withstands(t, run);
      assert.ok(acknowledged > 100);
      const told = log.filter((line) => JSON.stringify(line).includes(`"code":"${error}"`));
      t.diagnostic(`${told.length} lines of the log name the fault`);
      assert.ok(told.length > 0, 'the fault was met');
    });
  }
});
