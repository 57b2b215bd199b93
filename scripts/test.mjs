// `npm test`: runs every *.test.ts under test/ with node:test through tsx. `--long` runs the
// *.long.ts suites instead; file names given as arguments run only those.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const suffix = args.includes('--long') ? '.long.ts' : '.test.ts';
const named = args.filter((arg) => !arg.startsWith('--'));
const files = readdirSync(`${root}test`, { recursive: true })
  .map((file) => `test/${file}`)
  .filter((file) => file.endsWith(suffix))
  .filter((file) => named.length === 0 || named.some((name) => file.includes(name)))
  .sort();

if (files.length === 0) {
  console.error(`no test file matches ${named.join(' ') || suffix}`);
  process.exit(1);
}
const run = spawnSync(
  process.execPath,
  ['--import', 'tsx', '--test', '--test-concurrency=2', ...files],
  { cwd: root, stdio: 'inherit' },
);
process.exitCode = run.status ?? 1;
