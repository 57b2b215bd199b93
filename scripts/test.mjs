// `npm test`: runs every *.test.ts under test/ with node:test through tsx. `--slow` runs the *.slow.ts
// suites instead, one at a time, and `--long` the *.long.ts suites; file names given as arguments run
// only those.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const kind = args.includes('--long') ? 'long' : args.includes('--slow') ? 'slow' : 'test';
const suffix = `.${kind}.ts`;
const concurrency = kind === 'test' ? 2 : 1;
/** A test that hangs fails, instead of holding up all that come after it. */
const timeoutMs = kind === 'test' ? 180_000 : 3_600_000;
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
  [
    '--import',
    'tsx',
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${timeoutMs}`,
    ...files,
  ],
  { cwd: root, stdio: 'inherit' },
);
process.exitCode = run.status ?? 1;
