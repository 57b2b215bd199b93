/** Each row has one test and one line of docs/bad-inputs.md, and there are no others. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ROWS, SECTIONS } from './rows.ts';

const HERE = dirname(fileURLToPath(import.meta.url));
const PAGE = join(HERE, '..', '..', '..', 'docs', 'bad-inputs.md');

/** The rows that the files of this folder declare tests of, by number. */
function declared(): string[] {
  const files = readdirSync(HERE).filter((file) => /\.(?:test|slow)\.ts$/.test(file));
  const texts = files.map((file) => readFileSync(join(HERE, file), 'utf8'));
  return texts.flatMap((text) => [...text.matchAll(/^row\('(\w+)',/gm)].map(([, row = '']) => row));
}

describe('the rows of bad inputs', () => {
  it('have one test each', () => {
    assert.deepEqual(declared().sort(), Object.keys(ROWS).sort());
  });

  it('are numbered from 1 to 143 without a gap', () => {
    const numbers = new Set(Object.keys(ROWS).map((row) => Number.parseInt(row, 10)));
    assert.deepEqual(
      [...numbers].sort((one, other) => one - other),
      Array.from({ length: 143 }, (_, nth) => nth + 1),
    );
  });

  it('are what docs/bad-inputs.md shows, in its order', () => {
    const lines = readFileSync(PAGE, 'utf8').split('\n');
    const shown = lines.filter((line) => /^(?:## |\| \d)/.test(line));
    const expected = SECTIONS.flatMap(([title, rows]) => {
      const numbers = Object.keys(rows).sort(byNumber);
      const cells = numbers.map((row) => `| ${row} | ${rows[row]?.join(' | ')} |`);
      return [`## ${title}`, ...cells];
    });
    assert.deepEqual(shown, expected);
  });
});

/** 20 comes before 20b, and that before 21; the engine puts whole numbers before all others. */
function byNumber(one: string, other: string): number {
  return Number.parseInt(one, 10) - Number.parseInt(other, 10) || one.localeCompare(other);
}
