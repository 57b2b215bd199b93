// Builds dist after an install. A production install has no compiler: then an existing dist is kept,
// or one line says what to run.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const compiler = `${root}node_modules/typescript/bin/tsc`;

if (existsSync(compiler)) {
  const built = spawnSync(process.execPath, [compiler, '-p', `${root}tsconfig.build.json`], {
    stdio: 'inherit',
  });
  process.exitCode = built.status ?? 1;
} else if (!existsSync(`${root}dist/primary.js`)) {
  console.log(
    'bigcache: the compiler is not installed, so nothing was built; run `npm ci --include=dev`',
  );
}
