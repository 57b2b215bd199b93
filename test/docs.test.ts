/** The reference pages and the tables in the code say the same, both ways round. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { accepted, showValue } from '../src/primary/option-values.ts';
import { environmentName, OPTIONS, type OptionSpec } from '../src/protocol/config.ts';
import { ERRORS } from '../src/protocol/errors.ts';

const DOCS = join(dirname(fileURLToPath(import.meta.url)), '..', 'docs');
const page = (name: string): string => readFileSync(join(DOCS, name), 'utf8');

const code = (text: string): string => `\`${text}\``;

function optionRow(option: OptionSpec): string {
  const spellings = [option.flag, ...(option.alias === undefined ? [] : [option.alias])];
  const cells = [
    spellings.map((spelling) => code(`--${spelling}`)).join(', '),
    [environmentName(option), ...(option.envAliases ?? [])].map(code).join(', '),
    option.defaultText ?? code(showValue(option, option.default)),
    accepted(option),
    option.help,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The rows of the page's tables that begin with a cell in code type. */
function rowsOf(text: string): string[] {
  return text.split('\n').filter((line) => line.startsWith('| `'));
}

describe('docs/configuration.md', () => {
  it('has one row for each option, and no other', () => {
    assert.deepEqual(rowsOf(page('configuration.md')), OPTIONS.map(optionRow));
  });

  it('speaks of no flag and no variable that the server does not have', () => {
    const text = page('configuration.md');
    const flags = new Set(OPTIONS.flatMap(({ flag, alias }) => [flag, alias]));
    for (const own of ['help', 'version', 'print-config']) flags.add(own);
    for (const [, flag] of text.matchAll(/--([a-z][a-z_-]*)/g)) {
      assert.ok(flags.has(flag), `there is no --${flag}`);
    }
    const variables = new Set(OPTIONS.map(environmentName));
    for (const [variable] of text.matchAll(/BIGCACHE_[A-Z_]+\b/g)) {
      assert.ok(variables.has(variable), `there is no ${variable}`);
    }
  });
});

describe('every page', () => {
  const pages = readdirSync(DOCS, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  );

  it('has an empty line before each heading, and tables that are in one piece', () => {
    for (const name of pages) {
      const lines = page(name).split('\n');
      let isCode = false;
      for (const [at, line] of lines.entries()) {
        if (line.startsWith('```')) isCode = !isCode;
        if (isCode || at === 0) continue;
        const before = lines[at - 1] ?? '';
        if (/^#+ /.test(line)) assert.equal(before, '', `${name}:${at + 1}`);
        const isFirstRow = line.startsWith('|') && !before.startsWith('|');
        if (isFirstRow) assert.match(lines[at + 1] ?? '', /^\| ?:?-/, `${name}:${at + 1}`);
      }
    }
  });
});

describe('docs/errors.md', () => {
  it('has one row for each code with its status and sentence, and no other', () => {
    const rows = Object.entries(ERRORS)
      .sort(([, one], [, other]) => one.status - other.status || one.wire - other.wire)
      .map(([name, { status, detail }]) => `| \`${name}\` | ${status} | ${detail} |`);
    assert.deepEqual(rowsOf(page('errors.md')), rows);
  });

  it('is about a table whose wire numbers are given once each', () => {
    const numbers = Object.values(ERRORS).map(({ wire }) => wire);
    assert.equal(new Set<number>(numbers).size, numbers.length);
  });
});
