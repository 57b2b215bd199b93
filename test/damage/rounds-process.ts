/**
 * Runs rounds in a process of its own, since damage may end a process: reads what to do from its
 * argument, writes one line of JSON before each round and one after it.
 */
import { FILE_KINDS } from './damaging.ts';
import { runRound } from './round.ts';

const job = JSON.parse(process.argv[2] ?? '');
for (let round: number = job.from; round < job.to; round++) {
  const kind = job.kind ?? FILE_KINDS[round % FILE_KINDS.length];
  process.stdout.write(`${JSON.stringify({ begins: round })}\n`);
  const result = await runRound({ ...job, round, kind });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  // What hangs cannot be closed, so the rounds go on in a new process.
  if (result.hung.length > 0) process.exit(0);
}
process.exit(0);
