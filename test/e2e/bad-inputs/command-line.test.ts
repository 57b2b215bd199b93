/** Rows 114 to 118, 125, 126, 128 and 129: what stands on the command line. */
import assert from 'node:assert/strict';
import { refuses, run } from '../../primary/command-line.ts';
import { row } from './row.ts';

const USAGE = 2;
const CANNOT_RUN = 1;

row('114', async () => {
  for (const port of ['abc', '-1', '65536', '1e3', '0x10', ' 80', '']) {
    await refuses(['--port', port], USAGE, /--port takes a whole number from 0 to 65535/);
  }
});

row('115', async () => {
  await refuses(['--db_path', ''], USAGE, /--db-path takes a path/);
});

row('116', async () => {
  await refuses(['--port', '1', '--port', '1'], USAGE, /--port is given twice/);
  await refuses(['--db_path', 'a', '--db-path', 'a'], USAGE, /--db-path is given twice/);
  await refuses(['--get-admin', '--get-admin'], USAGE, /--get-admin is given twice/);
});

row('117', async () => {
  await refuses(['--prot', '80'], USAGE, /unknown option '--prot' \(Did you mean --port\?\)/);
  await refuses(['-p', '80'], USAGE, /unknown option '-p'/);
  await refuses(['sreve'], USAGE, /no command or argument "sreve"; see bigcache --help/);
  await refuses(['serve', 'now'], USAGE, /no command or argument "now"/);
});

row('118', async () => {
  for (const flag of ['--db-path', '--db_path']) {
    assert.equal((await run([flag, '/a'])).config?.dbPath, '/a', flag);
  }
});

row('125', async () => {
  for (const size of ['8G', '-1', 'NaN']) {
    await refuses(['--segment-size', size], USAGE, /--segment-size takes a size/);
  }
  for (const size of ['-1', 'NaN']) {
    await refuses(['--max-body', size], USAGE, /--max-body takes a size/);
  }
});

row('126', async () => {
  const env = { BIGCACHE_PORT: '81', DB_PATH: '' };
  const { config } = await run(['--port', '80'], { env });
  assert.deepEqual([config?.dbPath, config?.port], ['./data', 80]);
});

row('128', async () => {
  for (const workers of ['0', '10000']) {
    await refuses(['--workers', workers], USAGE, /--workers takes/);
  }
  await refuses([], USAGE, /BIGCACHE_WORKERS takes/, { env: { BIGCACHE_WORKERS: 'many' } });
});

row('129', async () => {
  await refuses([], CANNOT_RUN, /exec_mode fork and 1 instance/, { forked: true });
});
