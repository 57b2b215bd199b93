/** Rows 119 to 124, 127, 130 and 131: starts that must not succeed, and what they leave alone. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { TOKENS } from '../../workers/access/table-tokens.ts';
import { PRIMARY, ServerProcess } from '../server-process.ts';
import { row } from './row.ts';

const START_MAX_MS = 20_000;
const NOBODY = 65_534;

/** A server that runs, for what only one may have. */
let running: ServerProcess;
let runningIn: string;
/** A store with entries that nobody has open. */
let store: string;
let scratch: string;
const cleanUps: (() => Promise<void>)[] = [];
const cleanable = { after: (cleanUp: () => Promise<void>) => cleanUps.push(cleanUp) };

before(async () => {
  scratch = await temporaryDirectory(cleanable);
  store = join(scratch, 'store');
  runningIn = await temporaryDirectory(cleanable);
  running = await ServerProcess.start(cleanable, runningIn, '--workers', '1');
  const filled = await ServerProcess.start(cleanable, store, '--workers', '1');
  await fetch(`${filled.url}/pickle/a`, { method: 'POST', body: 'x' });
  assert.equal(await filled.stop(), 0);
});

after(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

/** What a start that fails says, in one line and with exit code 1. */
async function refusal(dbPath: string, ...args: readonly string[]): Promise<string> {
  const all = ['--db-path', dbPath, ...(args.includes('--port') ? [] : ['--port', '0']), ...args];
  const server = ServerProcess.spawn(cleanable, all);
  const { code } = await server.exit();
  assert.equal(code, 1, `${all.join(' ')}: ${server.stderr}`);
  assert.match(server.stderr, /^bigcache: [^\n]+\n$/);
  return server.stderr;
}

/** Every file below `path` with its bytes, LOCK and LOG aside, which say who looked. */
function contents(path: string): Record<string, string> {
  const found = readdirSync(path, { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile() && !/^LO(?:CK|G)/.test(entry.name));
  const named = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return Object.fromEntries(named.map((file) => [file, readFileSync(file, 'hex')]));
}

/** A start in `path` is refused with what matches, and every file is as it was. */
async function leaves(path: string, message: RegExp): Promise<void> {
  const before = contents(path);
  assert.match(await refusal(path), message);
  assert.deepEqual(contents(path), before);
}

/** A copy of the store of this file, for a row to spoil. */
function storeCopy(name: string): string {
  const path = join(scratch, name);
  cpSync(store, path, { recursive: true });
  return path;
}

row('119', async () => {
  const line = await refusal(join(scratch, 'port'), '--port', `${running.port}`);
  assert.match(line, new RegExp(`cannot listen on 127.0.0.1 port ${running.port}: .*--port`));
});

row('120', async () => {
  const [file, dangling] = [join(scratch, 'file'), join(scratch, 'dangling')];
  writeFileSync(file, 'x');
  symlinkSync(join(scratch, 'nowhere'), dangling);
  const said = await Promise.all([
    refusal(file),
    refusal(dangling),
    refusal(join(scratch, 'x'.repeat(300))),
    refusalWithoutRights(),
  ]);
  const expected = [
    /file is not a directory/,
    /dangling is a link to nothing/,
    /xxx.*too long/,
    /locked cannot be used: permission denied/,
  ];
  for (const [nth, message] of expected.entries()) assert.match(said[nth] ?? '', message);
});

/** Of a directory that may not be written; root, who may write anything, becomes nobody first. */
async function refusalWithoutRights(): Promise<string> {
  const locked = join(scratch, 'locked');
  mkdirSync(locked, { mode: 0o555 });
  if (process.getuid?.() !== 0) return refusal(locked);
  chmodSync(scratch, 0o755);
  const cli = new URL('./primary/cli.js', pathToFileURL(PRIMARY)).href;
  const script = `
    const { cli } = await import(${JSON.stringify(cli)});
    process.setgid(${NOBODY});
    process.setuid(${NOBODY});
    process.exitCode = await cli(['--port', '0', '--db-path', ${JSON.stringify(locked)}]);`;
  const args = ['--input-type=module', '--eval', script];
  const options = { timeout: START_MAX_MS };
  return promisify(execFile)(process.execPath, args, options).then(
    () => assert.fail('it started'),
    ({ code, stderr }: { code: number; stderr: string }) => {
      assert.equal(code, 1, stderr);
      return stderr;
    },
  );
}

/** The time that `work` takes. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = Date.now();
  await work();
  return Date.now() - begin;
}

row('121', async () => {
  const ofProcessMs = await timed(() => refusal(join(scratch, 'missing', 'store')));
  const tookMs = await timed(async () => {
    assert.match(await refusal('/proc/x'), /\/proc\/x cannot be used/);
  });
  assert.ok(tookMs < ofProcessMs + 2000, `${tookMs} ms, another refusal ${ofProcessMs} ms`);
});

row('122', async () => {
  const path = join(scratch, 'foreign');
  mkdirSync(join(path, 'photos'), { recursive: true });
  writeFileSync(join(path, 'photos', 'one.jpg'), 'x');
  await leaves(path, /not BigCache's: "photos"/);
});

row('123', async () => {
  assert.match(await refusal(runningIn), /in use by another BigCache process/);
});

row('124', async () => {
  const path = storeCopy('no-current');
  rmSync(join(path, 'index', 'CURRENT'));
  await leaves(path, /CURRENT/);
});

row('127', async () => {
  const made = (name: string, text: string, mode: number): string => {
    const path = join(scratch, name);
    writeFileSync(path, text, { mode: 0o600 });
    chmodSync(path, mode);
    return path;
  };
  const list = JSON.stringify(TOKENS);
  const paths = [
    made('writable.json', list, 0o622),
    made('malformed.json', '[{"name":', 0o600),
    made('empty.json', '', 0o600),
  ];
  const readable = ServerProcess.start(
    cleanable,
    join(scratch, 'tokens'),
    ...['--workers', '1', '--token-file', made('readable.json', list, 0o644)],
  );
  for (const [nth, path] of paths.entries()) {
    const line = await refusal(join(scratch, `tokens-${nth}`), '--token-file', path);
    assert.ok(line.includes(path), line);
  }
  const { log } = await readable;
  assert.ok(
    log.some(
      ({ level, msg }) => level === 40 && /everybody .* may read the token file/.test(msg ?? ''),
    ),
  );
  assert.equal(await (await readable).stop(), 0);
});

row('130', async () => {
  const path = storeCopy('newer');
  writeFileSync(join(path, 'bigcache.json'), '{"format":2,"shards":[]}');
  await leaves(path, /format version 2, newer than this BigCache reads/);
});

row('131', async () => {
  const path = join(scratch, 'original');
  mkdirSync(path);
  writeFileSync(join(path, 'CURRENT'), 'MANIFEST-000002\n');
  writeFileSync(join(path, '000005.ldb'), 'table');
  await leaves(path, /bigcache import --from/);
});
