/** Links from the documentation to files and headings of this repository lead somewhere. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { OPTIONS } from '../src/protocol/config.ts';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

const pages = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** A page without its code, in which brackets are no links. */
function proseOf(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8')
    .replace(/^```[\s\S]*?^```$/gm, '')
    .replace(/`[^`\n]*`/g, (code) => code.replace(/[[\]()]/g, ''));
}

/** The anchors that GitHub gives the headings of a page. */
function anchorsOf(page: string): Set<string> {
  const headings = proseOf(page).matchAll(/^#{1,6} (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function linksOf(page: string): string[] {
  const targets = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => !/^[a-z]+:/i.test(target));
}

describe('every relative link', () => {
  for (const page of pages) {
    it(`of ${page} leads to a file or heading`, () => {
      for (const link of linksOf(page)) {
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? page : normalize(join(dirname(page), path));
        assert.ok(existsSync(join(ROOT, target)), `${page} links to ${link}`);
        if (anchor !== undefined) {
          assert.ok(anchorsOf(target).has(anchor), `${page} links to ${link}`);
        }
      }
    });
  }
});

describe('a source file', () => {
  it('that names a page of the documentation names one that is there', () => {
    const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
    for (const source of sources.filter((name) => name.endsWith('.ts'))) {
      const text = readFileSync(join(ROOT, 'src', source), 'utf8');
      for (const [page] of text.matchAll(/\bdocs\/[\w/-]+\.md\b/g)) {
        assert.ok(existsSync(join(ROOT, page)), `src/${source} names ${page}`);
      }
    }
  });
});

describe('README.md', () => {
  it('speaks of no flag that the server does not have', () => {
    const flags = new Set(OPTIONS.flatMap(({ flag, alias }) => [flag, alias]));
    const others = ['help', 'print-config', 'data-binary', 'from', 'to'];
    for (const other of [...others, 'name', 'scopes', 'key-prefix']) flags.add(other);
    const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
    for (const [, flag] of text.matchAll(/(?<=[\s`'(])--([a-z][a-z_-]*[a-z])/g)) {
      assert.ok(flags.has(flag), `there is no --${flag}`);
    }
  });
});
