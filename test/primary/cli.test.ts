/** The command line: what reaches the server, what is refused, and the one line that says why. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CannotRunError } from '../../src/primary/exit.ts';
import { environmentName, OPTIONS } from '../../src/protocol/config.ts';
import { type Outcome, refuses, run } from './command-line.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const FRONT_DOOR = join(ROOT, 'src', 'primary.ts');
const VERSION = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version;

describe('bigcache', () => {
  it('serves, with or without the name of the command', async () => {
    for (const args of [
      ['--workers', '4'],
      ['serve', '--workers', '4'],
      ['serve', '--workers=4'],
    ]) {
      const outcome = await run(args);
      assert.equal(outcome.code, 0);
      assert.equal(outcome.err, '');
      assert.equal(outcome.config?.workers, 4);
    }
  });

  it("ends with the server's exit code", async () => {
    assert.equal((await run([], { serve: async () => 3 })).code, 3);
  });

  it('takes a switch with and without a value', async () => {
    const { config } = await run(['--allow-unprotected', '--get-admin', 'off']);
    assert.equal(config?.allowUnprotected, true);
    assert.equal(config?.getAdmin, false);
  });

  it('says in one line why the server cannot run, and ends with 1', async () => {
    const serve = async () => {
      throw new CannotRunError('port 80 is taken;\n choose another');
    };
    const outcome = await run([], { serve });
    assert.equal(outcome.code, 1);
    assert.equal(outcome.err, 'bigcache: port 80 is taken; choose another\n');
  });

  it('does not dress up a bug as an operating error', async () => {
    const serve = async () => {
      throw new TypeError('a bug');
    };
    await assert.rejects(run([], { serve }), TypeError);
  });
});

describe('a command line that cannot be understood ends with 2', () => {
  it('when a value is missing', async () => {
    await refuses(['--port'], 2, /--port.* argument missing/);
  });
});

describe('a command beside serve', () => {
  it('shows the flags of its own in the line that says how it is called', async () => {
    for (const command of ['import', 'backup', 'restore', 'verify', 'rebuild', 'compact']) {
      const { out } = await run([command, '--help']);
      const [usage = ''] = out.split('\n');
      assert.ok(usage.length <= 100, usage);
      const flags = [...out.matchAll(/^ {2}(?:-h, |--db_path, )?(--[a-z-]+)/gm)].map(
        ([, flag]) => flag,
      );
      const hidden = flags.filter((flag) => flag !== '--help' && !usage.includes(`${flag}`));
      const isShort = usage.endsWith('[options]');
      assert.deepEqual(isShort ? [] : hidden, [], usage);
    }
    const { out } = await run(['--help']);
    assert.match(out, /bigcache restore .* --replace$/m);
  });

  for (const command of ['import', 'verify', 'rebuild', 'compact']) {
    it(`${command} describes itself, its flags and --db-path`, async () => {
      const { code, out } = await run([command, '--help']);
      assert.equal(code, 0);
      assert.match(out, new RegExp(`^Usage: bigcache ${command} `));
      assert.match(out, /--db_path, --db-path <text>/);
      assert.doesNotMatch(out, /--workers/);
      assert.ok(out.split('\n').every((line) => line.length <= 100));
      assert.ok((await run(['--help'])).out.includes(command));
    });

    it(`${command} refuses flags and values that it cannot take with 2`, async () => {
      const call = command === 'import' ? [command, '--from', 'x'] : [command];
      await refuses([...call, '--workers', '4'], 2, /unknown option '--workers'/);
      await refuses([...call, '--db-path'], 2, /--db-path.* argument missing/);
      await refuses([...call, '--db-path', 'a', '--db_path', 'b'], 2, /--db-path is given twice/);
      await refuses([...call, 'now'], 2, /too many arguments/);
    });

    it(`${command} says with 1 why it cannot run`, async () => {
      const scratch = mkdtempSync(join(tmpdir(), 'bigcache-cli-'));
      try {
        const nowhere = join(scratch, 'nowhere');
        const from = command === 'import' ? ['--from', nowhere] : [];
        const store = command === 'import' ? scratch : nowhere;
        await refuses([command, ...from, '--db-path', store], 1, /there is no (store|directory) /);
        assert.deepEqual(readdirSync(scratch).includes('nowhere'), false);
      } finally {
        rmSync(scratch, { recursive: true });
      }
    });
  }
});

describe('a server that must not run ends with 1', () => {
  it('when it would listen beyond loopback unprotected', async () => {
    await refuses(['--host', '0.0.0.0'], 1, /--allow-unprotected/);
    const allowed = await run(['--host', '0.0.0.0', '--allow-unprotected']);
    assert.equal(allowed.config?.host, '0.0.0.0');
  });
});

describe('what bigcache tells about itself', () => {
  it('--help lists every option with its bounds, default and variable', async () => {
    const { code, out, err } = await run(['--help']);
    assert.equal(code, 0);
    assert.equal(err, '');
    for (const option of OPTIONS) {
      assert.match(out, new RegExp(`--${option.flag} [<[]`));
      assert.ok(out.includes(environmentName(option)));
    }
    assert.match(out, /a whole number from 0 to 65535; default: 36379; env: BIGCACHE_PORT/);
    assert.match(out, /--db_path, --db-path/);
    assert.ok(out.split('\n').every((line) => line.length <= 100));
  });

  it('--version prints the version of the package, before or after other options', async () => {
    assert.equal((await run(['--version'])).out, `${VERSION}\n`);
    assert.equal((await run(['serve', '--port', '1', '--version'])).out, `${VERSION}\n`);
  });

  it('--print-config shows each setting, its value and its source, and starts nothing', async () => {
    const env = { BIGCACHE_MAX_BODY: '1536MiB', DB_PATH: '/srv/cache' };
    const { code, out, config } = await run(['--print-config', '--port', '80'], { env });
    assert.equal(code, 0);
    assert.equal(config, undefined);
    const lines = out.trimEnd().split('\n');
    assert.equal(lines.length, OPTIONS.length);
    assert.match(out, /^port +80 +flag$/m);
    assert.match(out, /^max-body +1536MiB +BIGCACHE_MAX_BODY$/m);
    assert.match(out, /^db-path +\/srv\/cache +DB_PATH$/m);
    assert.match(out, /^drain-timeout +8s +default$/m);
    const sourceColumns = lines.map((line) => line.search(/(flag|default|[A-Z_]+)$/));
    assert.equal(new Set(sourceColumns).size, 1);
  });
});

/** Runs the front door as a process of its own. */
async function runProcess(args: readonly string[]): Promise<Omit<Outcome, 'config'>> {
  const child = spawn(process.execPath, ['--import', 'tsx', FRONT_DOOR, ...args], {
    timeout: 20_000,
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    err += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, out, err }));
  });
}

describe('the front door', () => {
  it('maps the outcome to the exit code of the process', async () => {
    const outcomes = await Promise.all([
      runProcess(['--version']),
      runProcess(['--port', 'abc']),
      runProcess(['--host', '::']),
    ]);
    assert.deepEqual(
      outcomes.map(({ code }) => code),
      [0, 2, 1],
    );
    assert.equal(outcomes[0]?.out, `${VERSION}\n`);
    for (const { out, err } of outcomes.slice(1)) {
      assert.equal(out, '');
      assert.match(err, /^bigcache: [^\n]+\n$/);
    }
  });

  it('refuses to be the worker of a foreign cluster', async () => {
    const fork = `
      import cluster from 'node:cluster';
      cluster.setupPrimary({ exec: ${JSON.stringify(FRONT_DOOR)}, args: [], execArgv: ['--import', 'tsx'] });
      cluster.fork().on('exit', (code) => { process.exitCode = code; });`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', fork], {
      cwd: ROOT,
      timeout: 20_000,
    });
    let err = '';
    child.stderr.on('data', (text) => {
      err += text;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    assert.equal(code, 1);
    assert.match(err, /^bigcache: pm2's cluster mode [^\n]+\n$/);
  });
});
