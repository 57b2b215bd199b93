/** Opening the index: created once, opened over a safety copy, and no damage ever costs a file. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { openDirectory, type StoreDirectory } from '../../../../src/primary/directory/directory.ts';
import { CannotRunError } from '../../../../src/primary/exit.ts';
import { openIndex } from './open-index.ts';

const ENTRIES = 3000;

let scratch: string;
let directory: StoreDirectory;

beforeEach(async () => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), 'bigcache-index-')));
  directory = await openDirectory(scratch);
});

afterEach(async () => {
  await directory.release();
  rmSync(scratch, { recursive: true, force: true });
});

const key = (n: number): Buffer => Buffer.from(`e${n}`);

/** An index of several runs: tables, a log, and a segment that it points to. */
async function fillIndex(): Promise<void> {
  for (let run = 0; run < 3; run++) {
    const index = await openIndex(directory);
    for (let n = run * 1000; n < (run + 1) * 1000; n++) await index.put(key(n), Buffer.alloc(100));
    await index.close();
  }
  writeFileSync(join(directory.segmentsPath, '00000001.seg'), 'body');
}

async function entriesFound(): Promise<number> {
  const index = await openIndex(directory);
  const found = await index.getMany(Array.from({ length: ENTRIES }, (_, n) => key(n)));
  await index.close();
  return found.filter((value) => value !== undefined).length;
}

/** Every file of the index with its bytes, but for LOCK, which says who is there. */
function indexFiles(): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory.indexPath)
      .filter((name) => name !== 'LOCK')
      .sort()
      .map((name) => [name, readFileSync(join(directory.indexPath, name), 'hex')]),
  );
}

function indexFile(pattern: RegExp): string {
  const name = readdirSync(directory.indexPath).find((candidate) => pattern.test(candidate));
  assert.ok(name, `the index has no file like ${pattern}`);
  return join(directory.indexPath, name);
}

function leftovers(): string[] {
  return readdirSync(scratch).filter((name) => name.startsWith('.'));
}

/** The open is refused with one line that matches; index and directory are what they were. */
async function refuses(message: RegExp): Promise<void> {
  const before = indexFiles();
  await assert.rejects(openIndex(directory), (error: unknown) => {
    assert.ok(error instanceof CannotRunError, String(error));
    assert.match(error.message, message);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
  assert.deepEqual(indexFiles(), before);
  assert.deepEqual(leftovers(), []);
}

describe('the index of a new store', () => {
  it('is created with the sentinel and opens again', async () => {
    for (let run = 0; run < 2; run++) {
      const index = await openIndex(directory);
      assert.deepEqual(await index.get(Buffer.from('msentinel')), Buffer.from('1'));
      await index.close();
    }
    assert.deepEqual(leftovers(), []);
  });

  it('is created although an earlier start died while creating it', async () => {
    mkdirSync(join(scratch, '.index-new'));
    writeFileSync(join(scratch, '.index-new', 'CURRENT'), 'MANI');
    await (await openIndex(directory)).close();
    assert.deepEqual(leftovers(), []);
  });

  it('is never created where there are segments', async () => {
    writeFileSync(join(directory.segmentsPath, '00000001.seg'), 'body');
    await refuses(/damaged \(it is empty although there are segments\)/);
  });
});

describe('an index that is sound', () => {
  it('keeps every entry over many openings', async () => {
    await fillIndex();
    for (let run = 0; run < 3; run++) assert.equal(await entriesFound(), ENTRIES);
    assert.deepEqual(leftovers(), []);
  });
});

describe('an index that is damaged is refused, and loses nothing', () => {
  beforeEach(fillIndex);

  it('when CURRENT is missing', async () => {
    rmSync(join(directory.indexPath, 'CURRENT'));
    await refuses(/CURRENT is missing\); nothing was changed/);
  });

  it('when CURRENT is cut or names nothing', async () => {
    const current = join(directory.indexPath, 'CURRENT');
    for (const damage of ['', 'MANIFEST', 'MANIFEST-999999\n']) {
      writeFileSync(current, damage);
      await refuses(/the index .* (is damaged|cannot be opened)/);
    }
  });

  it('wherever its MANIFEST is cut, and it opens again with the whole one', async () => {
    const manifest = indexFile(/^MANIFEST/);
    const whole = readFileSync(manifest);
    let refused = 0;
    for (let cut = 0; cut < whole.length; cut += 7) {
      truncateSync(manifest, cut);
      await refuses(/the index .* (is damaged|cannot be opened)/);
      writeFileSync(manifest, whole);
      refused++;
    }
    assert.ok(refused > 5);
    assert.equal(await entriesFound(), ENTRIES);
  });

  it('when a table is missing, and it opens again with that table', async () => {
    const table = indexFile(/\.ldb$/);
    renameSync(table, join(scratch, 'taken'));
    await refuses(/is damaged \(its table \d+\.ldb is missing\)/);
    renameSync(join(scratch, 'taken'), table);
    assert.equal(await entriesFound(), ENTRIES);
  });
});

describe('a start that died while it opened the index', () => {
  beforeEach(fillIndex);

  /** What the start leaves that dies right before it would have dropped its safety copy. */
  function setAsideByHand(): void {
    const aside = join(scratch, '.index-aside');
    mkdirSync(aside);
    for (const name of Object.keys(indexFiles())) {
      linkSync(join(directory.indexPath, name), join(aside, name));
    }
  }

  it('costs nothing when the open had deleted tables and replaced CURRENT', async () => {
    const before = indexFiles();
    setAsideByHand();
    for (const name of Object.keys(before)) rmSync(join(directory.indexPath, name));
    writeFileSync(join(directory.indexPath, 'CURRENT'), 'MANIFEST-000099\n');
    writeFileSync(join(directory.indexPath, 'MANIFEST-000099'), 'wiped');
    assert.equal(await entriesFound(), ENTRIES);
    assert.deepEqual(leftovers(), []);
    const [shelter = ''] = readdirSync(directory.quarantinePath);
    assert.match(shelter, /^index-\d+$/);
    assert.deepEqual(readdirSync(join(directory.quarantinePath, shelter)).sort(), [
      'CURRENT',
      'MANIFEST-000099',
    ]);
  });

  it('costs nothing when the open had gone well', async () => {
    const { ClassicLevel } = await import('classic-level');
    setAsideByHand();
    const opened = new ClassicLevel(directory.indexPath, { createIfMissing: false });
    await opened.open();
    await opened.close();
    assert.equal(await entriesFound(), ENTRIES);
    assert.deepEqual(leftovers(), []);
  });

  it('costs nothing when it died between two links', async () => {
    mkdirSync(join(scratch, '.index-aside.partial'));
    linkSync(
      join(directory.indexPath, 'CURRENT'),
      join(scratch, '.index-aside.partial', 'CURRENT'),
    );
    assert.equal(await entriesFound(), ENTRIES);
    assert.deepEqual(leftovers(), []);
  });

  it('costs nothing when the recovery died too, in its middle', async () => {
    const before = indexFiles();
    setAsideByHand();
    const names = Object.keys(before);
    for (const name of names.slice(0, names.length / 2)) rmSync(join(directory.indexPath, name));
    assert.equal(await entriesFound(), ENTRIES);
  });
});

describe('an index that another process holds', () => {
  it('is refused as in use, and keeps every entry', async () => {
    await fillIndex();
    const holder = `
      const { ClassicLevel } = await import('classic-level');
      await new ClassicLevel(${JSON.stringify(directory.indexPath)}).open();
      process.stdout.write('open');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', holder]);
    const ended = once(child, 'close');
    try {
      await once(child.stdout, 'data');
      // The holder may be compacting, so its files are its own affair; nothing of ours stays there.
      await assert.rejects(openIndex(directory), /in use by another BigCache process/);
      assert.deepEqual(leftovers(), []);
    } finally {
      child.kill('SIGKILL');
      await ended;
    }
    assert.equal(await entriesFound(), ENTRIES);
  });
});
