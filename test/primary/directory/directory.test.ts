/** The guard at the store's door: what it makes, what it refuses, and that it changes nothing then. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { DamagedStoreError } from '../../../src/primary/directory/damaged-store.ts';
import { openDirectory } from '../../../src/primary/directory/directory.ts';
import { CannotRunError } from '../../../src/primary/exit.ts';

let scratch: string;

beforeEach(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), 'bigcache-directory-')));
});

afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** Every name below `path` with its content, to show that a refusal changed nothing. */
function contents(path: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(path, { recursive: true, withFileTypes: true }).map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return [file, entry.isFile() ? readFileSync(file, 'hex') : ''];
    }),
  );
}

/** Opening `path` is refused with one line that matches, and leaves everything as it was. */
async function refuses(path: string, message: RegExp): Promise<void> {
  const before = contents(scratch);
  await assert.rejects(openDirectory(path), (error: unknown) => {
    assert.ok(error instanceof CannotRunError, String(error));
    assert.match(error.message, message);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
  assert.deepEqual(contents(scratch), before);
}

/** A store's directory with content, closed again. */
async function madeStore(): Promise<string> {
  const path = join(scratch, 'store');
  await (await openDirectory(path)).release();
  writeFileSync(join(path, 'index', 'CURRENT'), 'MANIFEST-000002\n');
  writeFileSync(join(path, 'segments', '00000001.seg'), 'body');
  return path;
}

describe('a new store', () => {
  it('is laid out whole where nothing was', async () => {
    const directory = await openDirectory(join(scratch, 'store'));
    assert.equal(directory.isNew, true);
    assert.equal(directory.path, join(scratch, 'store'));
    assert.equal(directory.segmentsPath, join(scratch, 'store', 'segments'));
    assert.deepEqual(readdirSync(directory.path).sort(), [
      'bigcache.json',
      'index',
      'quarantine',
      'segments',
    ]);
    const identity = JSON.parse(readFileSync(join(directory.path, 'bigcache.json'), 'utf8'));
    assert.equal(identity.format, 1);
    assert.equal(identity.instanceId, directory.instanceId);
    assert.match(directory.instanceId, /^[0-9a-f]{32}$/);
    assert.equal(new Date(identity.createdAt).toISOString(), identity.createdAt);
    await directory.release();
  });

  it('is laid out in an empty directory, dotfiles and lost+found aside', async () => {
    mkdirSync(join(scratch, 'lost+found'));
    writeFileSync(join(scratch, '.keep'), '');
    const directory = await openDirectory(scratch);
    assert.equal(directory.isNew, true);
    await directory.release();
  });

  it('is completed when the first start died before bigcache.json was written', async () => {
    mkdirSync(join(scratch, 'index'));
    mkdirSync(join(scratch, 'segments'));
    writeFileSync(join(scratch, '.bigcache.json.new'), '{"for');
    const directory = await openDirectory(scratch);
    assert.equal(directory.isNew, true);
    assert.deepEqual(
      readdirSync(scratch).filter((name) => name.startsWith('.')),
      [],
    );
    await directory.release();
  });

  it('is known again by its instance id', async () => {
    const first = await openDirectory(scratch);
    await first.release();
    const second = await openDirectory(scratch);
    assert.equal(second.isNew, false);
    assert.equal(second.instanceId, first.instanceId);
    await second.release();
  });

  it('is laid out where only hints were left', async () => {
    writeFileSync(join(scratch, 'visited'), 'hints');
    const directory = await openDirectory(scratch);
    assert.equal(directory.isNew, true);
    await directory.release();
  });

  it('is opened with the files that it may have beside its folders', async () => {
    await (await openDirectory(scratch)).release();
    for (const name of ['reserve', 'visited']) writeFileSync(join(scratch, name), '');
    const directory = await openDirectory(scratch);
    assert.equal(directory.isNew, false);
    await directory.release();
  });

  it('is rid of what killed commands have left in it, and of nothing else', async () => {
    const path = await madeStore();
    for (const name of ['.index-look', '.import-source']) {
      mkdirSync(join(path, name));
      writeFileSync(join(path, name, 'CURRENT'), 'MANIFEST-000001\n');
    }
    for (const name of ['.probe', '.reopening', '.mine']) writeFileSync(join(path, name), 'x');
    await (await openDirectory(path)).release();
    const dotted = readdirSync(path).filter((name) => name.startsWith('.'));
    assert.deepEqual(dotted, ['.mine']);
  });

  it('gets back a folder that was lost empty', async () => {
    const first = await openDirectory(scratch);
    await first.release();
    rmSync(first.quarantinePath, { recursive: true });
    const second = await openDirectory(scratch);
    assert.ok(existsSync(second.quarantinePath));
    await second.release();
  });
});

describe('a path that cannot be used is refused by name', () => {
  it('when it is a file', async () => {
    writeFileSync(join(scratch, 'file'), 'x');
    await refuses(join(scratch, 'file'), /file is not a directory/);
    await refuses(join(scratch, 'file', 'below'), /below cannot be used: .*not a directory/);
  });

  it('when it is a link to nothing, or a loop', async () => {
    symlinkSync(join(scratch, 'nowhere'), join(scratch, 'dangling'));
    await refuses(join(scratch, 'dangling'), /dangling is a link to nothing/);
    symlinkSync(join(scratch, 'loop'), join(scratch, 'loop'));
    await refuses(join(scratch, 'loop'), /loop cannot be used: the path is a loop/);
  });

  it('when it is too long', async () => {
    await refuses(join(scratch, 'x'.repeat(300)), /too long/);
    await refuses(join(scratch, 'x/'.repeat(3000)), /too long|make the directory/);
    let deep = scratch;
    while (Buffer.byteLength(deep) < 3900) deep = join(deep, 'd'.repeat(120));
    mkdirSync(deep, { recursive: true });
    await refuses(
      join(deep, 'e'.repeat(4050 - Buffer.byteLength(deep))),
      /a path of at most \d+ bytes/,
    );
  });

  it('when its parent is missing, which is never made on a guess', async () => {
    await refuses(join(scratch, 'missing', 'store'), /make the directory .*missing first/);
  });

  it('when it lies in /proc, within two seconds', async () => {
    const startedAt = Date.now();
    await refuses('/proc/x', /\/proc\/x cannot be used/);
    await refuses('/proc/x/y', /make the directory \/proc\/x first/);
    assert.ok(Date.now() - startedAt < 2000);
  });

  it('when the user that runs the server may not write there', async () => {
    const locked = join(scratch, 'locked');
    mkdirSync(locked);
    chmodSync(locked, 0o555);
    if (process.getuid?.() !== 0) {
      await refuses(locked, /locked cannot be used: permission denied/);
      await refuses(join(locked, 'store'), /store cannot be used: permission denied/);
      return;
    }
    // Root passes every permission check, so the opening is done by somebody else.
    chmodSync(scratch, 0o755);
    for (const path of [locked, join(locked, 'store')]) {
      const { stdout } = await runAsNobody(path);
      assert.match(stdout, /^CannotRunError: .*locked.* cannot be used: permission denied/);
    }
    assert.deepEqual(readdirSync(locked), []);
  });
});

/** Opens `path` in a process that gave root up, and prints what comes of it. */
function runAsNobody(path: string): Promise<{ stdout: string }> {
  const script = `
    const { openDirectory } = await import(${JSON.stringify(import.meta.resolve('../../../src/primary/directory/directory.ts'))});
    process.setgid(65534);
    process.setuid(65534);
    await openDirectory(${JSON.stringify(path)}).then(
      () => console.log('opened'),
      (error) => console.log(error.name + ': ' + error.message),
    );`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
  return promisify(execFile)(process.execPath, args, { timeout: 20_000 });
}

describe('a directory that is not ours is refused untouched', () => {
  it('when it holds foreign files', async () => {
    for (const name of ['a.txt', 'b.txt', 'c.txt', 'd.txt', '.probe']) {
      writeFileSync(join(scratch, name), '');
    }
    await refuses(scratch, /not BigCache's: "a.txt", "b.txt", "c.txt" and 1 more/);
  });

  it('when a name of ours is of the wrong kind', async () => {
    writeFileSync(join(scratch, 'segments'), '');
    await refuses(scratch, /not BigCache's: "segments"/);
  });

  it('when it is a database of the Python original, with the command that imports it', async () => {
    for (const name of ['CURRENT', 'LOCK', 'LOG', 'MANIFEST-000004', '000005.ldb', '000006.log']) {
      writeFileSync(join(scratch, name), '');
    }
    await refuses(scratch, /Python original; .*bigcache import --from \/.*bigcache-directory-/);
  });
});

describe('a damaged store is refused untouched', () => {
  it('when segments lost their index', async () => {
    const path = await madeStore();
    rmSync(join(path, 'index'), { recursive: true });
    await refuses(path, /holds segments but no index/);
    mkdirSync(join(path, 'index'));
    await refuses(path, /holds segments but no index/);
  });

  it('when bigcache.json is missing although there is an index', async () => {
    const path = await madeStore();
    rmSync(join(path, 'bigcache.json'));
    await refuses(path, /holds index, segments but no bigcache\.json/);
    // What a server or LevelDB may leave beside the files of the database is ours too.
    for (const name of ['CHECKING', 'CLOSED', 'CLOSED.partial', '000007.dbtmp']) {
      writeFileSync(join(path, 'index', name), '');
    }
    await assert.rejects(openDirectory(path), DamagedStoreError);
  });

  it('when bigcache.json is damaged', async () => {
    const path = await madeStore();
    const damages = [
      '',
      '{"format":1',
      'null',
      '[]',
      '{}',
      '{"format":0,"instanceId":"00112233"}',
      '{"format":1,"instanceId":"../.."}',
    ];
    for (const damage of damages) {
      writeFileSync(join(path, 'bigcache.json'), damage);
      await refuses(path, /bigcache\.json is damaged/);
    }
  });

  it('when a newer version wrote it, whatever else that version keeps there', async () => {
    const path = await madeStore();
    writeFileSync(join(path, 'bigcache.json'), '{"format":2,"shards":[]}');
    mkdirSync(join(path, 'shards'));
    await refuses(path, /format version 2, newer than this BigCache reads \(1\)/);
  });
});

describe('a store has one owner', () => {
  it('so a second opening is refused, under whatever spelling, until the release', async () => {
    symlinkSync(scratch, `${scratch}-link`);
    try {
      const first = await openDirectory(scratch);
      await refuses(scratch, /in use by another BigCache process/);
      await refuses(`${scratch}-link`, /in use by another BigCache process/);
      await first.release();
      await (await openDirectory(`${scratch}-link`)).release();
    } finally {
      rmSync(`${scratch}-link`);
    }
  });

  it('also when the directory was refused before', async () => {
    writeFileSync(join(scratch, 'foreign'), '');
    await refuses(scratch, /not BigCache's/);
    rmSync(join(scratch, 'foreign'));
    await (await openDirectory(scratch)).release();
  });

  it('and a process that was killed leaves nothing that stands in the way', async () => {
    const script = `
      const { openDirectory } = await import(${JSON.stringify(import.meta.resolve('../../../src/primary/directory/directory.ts'))});
      await openDirectory(${JSON.stringify(scratch)});
      process.kill(process.pid, 'SIGKILL');`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
    await assert.rejects(promisify(execFile)(process.execPath, args, { timeout: 20_000 }), {
      signal: 'SIGKILL',
    });
    const directory = await openDirectory(scratch);
    assert.equal(directory.isNew, false);
    await directory.release();
  });
});
