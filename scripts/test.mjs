// `npm test`: runs every *.test.ts under test/ with node:test through tsx. `--slow` runs the *.slow.ts
// suites instead, those one at a time that measure something, and `--long` the *.long.ts suites; file names
// given as arguments run only those.
//
// Starting a process costs more than most unit tests, so a folder of them is run in one.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const kind = args.includes('--long') ? 'long' : args.includes('--slow') ? 'slow' : 'test';
const suffix = `.${kind}.ts`;
/** A test that hangs fails, instead of holding up all that come after it. */
const timeoutMs = kind === 'test' ? 180_000 : 3_600_000;
/** Folders whose tests start no process and change nothing that others in their process would see. */
const TOGETHER = [
  'test/bench',
  'test/bench/peers',
  'test/primary/access',
  'test/primary/store',
  'test/primary/store/backup',
  'test/primary/store/index',
  'test/primary/store/leases',
  'test/primary/store/purges',
  'test/primary/store/space',
  'test/protocol',
  'test/segments',
  'test/segments/compression',
  'test/workers',
  'test/workers/access',
  'test/workers/http',
  'test/workers/metrics',
  'test/workers/models',
  'test/workers/openapi',
  'test/workers/store',
  'test/workers/v1',
];

/** Slow suites that judge no time and need not many operations: two of them run at once. */
const UNTIMED = [
  'test/damage/damage.slow.ts',
  'test/e2e/backup/backup.slow.ts',
  'test/e2e/bad-inputs/disk-full.slow.ts',
  'test/e2e/compression/real-clients.slow.ts',
  'test/e2e/coherence/linearizable.slow.ts',
  'test/e2e/corpus.slow.ts',
  'test/e2e/counters.slow.ts',
  'test/e2e/faults/bad-company.slow.ts',
  'test/e2e/faults/clock.slow.ts',
  'test/e2e/faults/failing-disk.slow.ts',
  'test/e2e/import/import.slow.ts',
  'test/e2e/nginx/nginx.slow.ts',
  'test/e2e/openapi/generated.slow.ts',
  'test/e2e/power-loss/power-loss.slow.ts',
  'test/fuzz/http-bytes.slow.ts',
  'test/workers/openapi/generated.slow.ts',
];

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

/** One file for each folder of `TOGETHER`, which imports its tests; the other files as they are. */
function grouped(scratch) {
  const alone = files.filter((file) => !TOGETHER.includes(dirname(file)));
  const groups = TOGETHER.flatMap((folder) => {
    const members = files.filter((file) => dirname(file) === folder);
    if (members.length < 2) return members;
    const lines = members.map(
      (file) => `import ${JSON.stringify(pathToFileURL(root + file).href)};`,
    );
    const group = join(scratch, `${folder.replaceAll('/', '-')}.mjs`);
    writeFileSync(group, lines.join('\n'));
    return [group];
  });
  return [...groups, ...alone];
}

/** Runs these files, so many at once; answers whether all passed. */
function passes(chosen, concurrency) {
  if (chosen.length === 0) return true;
  // Its last lines name what failed, on every version of Node and whether or not a terminal reads it.
  const reporter = '--test-reporter=spec';
  const flags = [reporter, `--test-concurrency=${concurrency}`, `--test-timeout=${timeoutMs}`];
  const command = ['--import', 'tsx', '--test', ...flags, ...chosen];
  return spawnSync(process.execPath, command, { cwd: root, stdio: 'inherit' }).status === 0;
}

function passAll(scratch) {
  if (kind === 'test') return passes(grouped(scratch), 2);
  const isUntimed = (file) => UNTIMED.includes(file);
  const together = passes(files.filter(isUntimed), 2);
  const alone = passes(
    files.filter((file) => !isUntimed(file)),
    1,
  );
  return together && alone;
}

mkdirSync(`${root}node_modules/.cache`, { recursive: true });
const scratch = mkdtempSync(`${root}node_modules/.cache/bigcache-tests-`);
try {
  process.exitCode = passAll(scratch) ? 0 : 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
