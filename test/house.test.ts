/** The rules of the house that a reader relies on: who may import whom, and how big a file gets. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Every file of ours below a folder, by its path from the root. */
function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file));
}

const linesOf = (file: string): string[] => readFileSync(join(ROOT, file), 'utf8').split('\n');

describe('a file', () => {
  it('has at most 400 lines', () => {
    for (const file of [...sources('src'), ...sources('test')]) {
      const lines = linesOf(file);
      assert.ok(lines.length <= 401, `${file} has ${lines.length - 1} lines`);
    }
  });

  it('opens by saying what it owns', () => {
    for (const file of sources('src')) {
      const [first, second] = linesOf(file);
      const opening = first?.startsWith('#!') ? second : first;
      assert.ok(opening?.startsWith('/**'), `${file} opens with ${opening}`);
    }
  });

  it('is named after what is in it', () => {
    for (const file of sources('src')) {
      assert.doesNotMatch(basename(file), /util|helper|manager|common|misc|\bdata\b/i, file);
    }
  });
});

describe('the linter refuses an import', () => {
  /** For each folder: what it must not import, and what it may. */
  const RULES: Readonly<Record<string, { refused: string[]; allowed: string[] }>> = {
    'src/protocol': {
      refused: [
        '../primary/exit.ts',
        '../primary.ts',
        '../workers/main.ts',
        '../segments/format.ts',
        'classic-level',
        'fastify',
        '@fastify/swagger',
      ],
      allowed: ['./config.ts', 'msgpackr', 'node:fs'],
    },
    'src/segments': {
      refused: ['../primary/exit.ts', '../workers/main.ts', 'classic-level', 'fastify'],
      allowed: ['../protocol/record.ts', './format.ts', 'node:fs'],
    },
    'src/workers/routes': {
      refused: ['../../primary/exit.ts', '../../primary.ts', 'classic-level'],
      allowed: ['../../protocol/key.ts', '../../segments/format.ts', 'fastify', '@fastify/swagger'],
    },
    'src/primary': {
      refused: ['../workers/main.ts', 'classic-level', 'fastify', '@fastify/swagger'],
      allowed: ['../protocol/key.ts', '../segments/format.ts', './directory/owner.ts'],
    },
    'src/primary/store': {
      refused: ['../../workers/main.ts', 'fastify'],
      allowed: ['classic-level', '../exit.ts', '../../segments/format.ts'],
    },
    'src/primary/jobs': {
      refused: ['../../workers/main.ts', 'fastify'],
      allowed: ['classic-level', '../directory/owner.ts', '../../protocol/key.ts'],
    },
  };

  let copy: string;
  /** The files of the copy that the linter found a forbidden import in. */
  let found: Set<string>;

  /** One file for each import, in a copy of the house that holds nothing else. */
  before(() => {
    copy = mkdtempSync(join(tmpdir(), 'bigcache-house-'));
    copyFileSync(join(ROOT, 'biome.json'), join(copy, 'biome.json'));
    for (const [folder, { refused, allowed }] of Object.entries(RULES)) {
      mkdirSync(join(copy, folder), { recursive: true });
      [...refused, ...allowed].forEach((name, number) => {
        writeFileSync(join(copy, folder, `import-${number}.ts`), `import '${name}';\n`);
      });
    }
    const biome = join(ROOT, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
    const args = [biome, 'lint', '--reporter=github', '--max-diagnostics=none', '.'];
    const { stdout } = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8' });
    const reports = stdout.split('\n').filter((line) => line.includes('noRestrictedImports'));
    found = new Set(reports.map((line) => /(src\/[^,]*\.ts),/.exec(line)?.[1] ?? line));
  });

  after(() => {
    rmSync(copy, { recursive: true, force: true });
  });

  for (const [folder, { refused, allowed }] of Object.entries(RULES)) {
    it(`into ${folder} from where it must know nothing`, () => {
      [...refused, ...allowed].forEach((name, number) => {
        const report = found.has(`${folder}/import-${number}.ts`);
        assert.equal(report, number < refused.length, `${name} in ${folder}`);
      });
    });
  }
});
