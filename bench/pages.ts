/** Real HTML as entries: the manual of PostgreSQL, 1,169 pages of 13.8 KB in the middle. */
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ENTRIES } from './load-plan.ts';

const CORPUS = process.env['BIGCACHE_CORPUS'] ?? '/usr/share/doc/postgresql-doc-15/html';
/** That of the server. */
const GZIP_LEVEL = 5;
const STORING_AT_ONCE = 16;

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
  const agent = new Agent({ keepAlive: true, maxSockets: STORING_AT_ONCE });
  const rest = pages.values();
  const store = async (): Promise<void> => {
    for (const page of rest) await storePage(page, port, agent);
  };
  try {
    await Promise.all(Array.from({ length: STORING_AT_ONCE }, store));
  } finally {
    agent.destroy();
  }
}

async function storePage({ name, plain }: Page, port: number, agent: Agent): Promise<void> {
  const putting = request({
    ...{ agent, port, host: '127.0.0.1', method: 'PUT', path: `${ENTRIES.before}${name}` },
    headers: { 'content-type': 'text/html', 'content-length': plain.length },
  });
  putting.end(plain);
  const [answer] = (await once(putting, 'response')) as [IncomingMessage];
  const { statusCode = 0 } = answer.resume();
  await once(answer, 'end');
  if (statusCode >= 300) throw new Error(`the page ${name} was answered with ${statusCode}`);
}
