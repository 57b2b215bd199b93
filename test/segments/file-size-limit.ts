/**
 * Runs under `ulimit -f`, where a file that grows beyond 2 MiB gets EFBIG, and prints as JSON what
 * became of its writes. Started by segment-faults.test.ts.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BigCacheError } from '../../src/protocol/errors.ts';
import { SegmentFile } from '../../src/segments/segment-file.ts';
import { appendTo, newLog, TestGrants } from './segment-setup.ts';

const MiB = 1024 * 1024;
const directory = process.argv[2] ?? '';

async function outcome(writing: Promise<unknown>): Promise<string> {
  try {
    await writing;
    return 'written';
  } catch (error) {
    return error instanceof BigCacheError ? error.code : String(error);
  }
}

const file = await SegmentFile.create(directory, { id: 100, writer: 1, createdAtMs: 0 });
const append = (): Promise<string> => outcome(file.append([Buffer.alloc(MiB, 'x')], MiB));
const fits = await append();
// Of the next two, written at once, the first one's bytes reach the limit.
const atOnce = await Promise.all([append(), append()]);
const afterwards = await append();
const overwritten = await outcome(file.overwrite(Buffer.alloc(10), 3 * MiB));
await file.close();

const grants = new TestGrants();
const log = newLog(directory, grants, 64 * MiB);
const first = await appendTo(log, 'first', Buffer.alloc(MiB, '1'));
const refused = await Promise.all([
  outcome(appendTo(log, 'second', Buffer.alloc(MiB, '2'))),
  outcome(appendTo(log, 'third', Buffer.alloc(MiB, '3'))),
]);
const sealedBeforeSettle = [...grants.sealed];
first.settle(true);
const sealedAfterSettle = [...grants.sealed];
const next = await appendTo(log, 'fourth', Buffer.alloc(MiB, '4'));
next.settle(true);
await log.sealAll();

console.log(
  JSON.stringify({
    fits,
    atOnce,
    afterwards,
    overwritten,
    hasFailed: file.hasFailed,
    refused,
    segments: [first.pointer.segment, next.pointer.segment],
    sealedBeforeSettle,
    sealedAfterSettle,
    sealed: grants.sealed,
    longest: Math.max(
      ...readdirSync(directory).map((name) => statSync(join(directory, name)).size),
    ),
  }),
);
