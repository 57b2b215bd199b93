#!/usr/bin/env node
/**
 * The front door: runs the command line and maps its outcome to an exit code. It has no guard for
 * being the main module: under pm2 `process.argv[1]` is pm2's own file.
 */
import { cli } from './primary/cli.ts';

// Whoever reads the output may leave early, as in `bigcache --help | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await cli(process.argv.slice(2));
// The channel to whoever forked this process, pm2 for one, would keep it alive with nothing to do.
if (process.channel !== undefined) process.exit();
