// `npm start`: runs the built server, or says how to build it.
import { existsSync } from 'node:fs';

const server = new URL('../dist/primary.js', import.meta.url);

if (existsSync(server)) {
  await import(server.href);
} else {
  console.error('bigcache: dist/ is missing; run `npm ci` (or `npm run build`) first');
  process.exitCode = 1;
}
