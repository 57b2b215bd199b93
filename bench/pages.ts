/** Real HTML as entries: the manual of PostgreSQL, 1,169 pages of 13.8 KB in the middle. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { PageClient } from '../test/e2e/compression/page-client.ts';
import { ENTRIES } from './load-plan.ts';

const CORPUS = process.env['BIGCACHE_CORPUS'] ?? '/usr/share/doc/postgresql-doc-15/html';
/** That of the server. */
const GZIP_LEVEL = 5;

export interface Page {
  readonly name: string;
  readonly plain: Buffer;
  readonly gzip: Buffer;
}

/** What to install where there are no pages. */
export function missingPages(): string[] {
  return existsSync(CORPUS) ? [] : ['pages of HTML: apt-get install postgresql-doc-15'];
}

export function findPages(): Page[] {
  return readdirSync(CORPUS)
    .filter((name) => name.endsWith('.html'))
    .sort()
    .map((name) => {
      const plain = readFileSync(join(CORPUS, name));
      return { name, plain, gzip: gzipSync(plain, { level: GZIP_LEVEL }) };
    });
}

/** The files that nginx would serve with its gzip_static, below the path of the entries. */
export function writePages(pages: readonly Page[], directory: string): void {
  const folder = join(directory, ENTRIES.before);
  mkdirSync(folder, { recursive: true });
  for (const { name, plain, gzip } of pages) {
    writeFileSync(join(folder, name), plain);
    writeFileSync(join(folder, `${name}.gz`), gzip);
  }
}

/** What `writePages` wrote, by name. */
export function readPages(directory: string): Map<string, Page> {
  const folder = join(directory, ENTRIES.before);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const pages = names
    .filter((name) => !name.endsWith('.gz'))
    .map((name): [string, Page] => {
      const plain = readFileSync(join(folder, name));
      return [name, { name, plain, gzip: readFileSync(join(folder, `${name}.gz`)) }];
    });
  return new Map(pages);
}

/** Stores the pages with the server at `port`; no connection to it is left. */
export async function storePages(pages: readonly Page[], port: number): Promise<void> {
  const client = new PageClient(`http://127.0.0.1:${port}`);
  try {
    await client.all(pages, ({ name, plain }) => client.put(`${ENTRIES.before}${name}`, plain));
  } finally {
    client.close();
  }
}
