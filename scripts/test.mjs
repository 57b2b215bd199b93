// `npm test`: runs every *.test.ts under test/ with node:test through tsx. `--slow` runs the *.slow.ts
// suites instead, one at a time, and `--long` the *.long.ts suites; file names given as arguments run
// only those.
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
const concurrency = kind === 'test' ? 2 : 1;
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

mkdirSync(`${root}node_modules/.cache`, { recursive: true });
const scratch = mkdtempSync(`${root}node_modules/.cache/bigcache-tests-`);
try {
  const run = spawnSync(
    process.execPath,
    [
      '--import',
      'tsx',
      '--test',
      `--test-concurrency=${concurrency}`,
      `--test-timeout=${timeoutMs}`,
      ...(kind === 'test' ? grouped(scratch) : files),
    ],
    { cwd: root, stdio: 'inherit' },
  );
  process.exitCode = run.status ?? 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
