/** The part of docs/benchmarks.md that a run writes: between two comments, and the chart beside it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Results } from '../results.ts';
import { renderChart } from './chart.ts';
import { markdownOf } from './report.ts';

const PAGE = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));
const CHART = 'benchmarks/peers.svg';
const CHART_FILE = fileURLToPath(new URL(`../../docs/${CHART}`, import.meta.url));
const BEGIN = '<!-- written by npm run bench:peers -- --write-docs -->';
const END = '<!-- end of what is written -->';

/** `page` with `section` between the two comments. Throws where it has not both of them, in order. */
export function withSection(page: string, section: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`the page has no ${BEGIN} ... ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${section}\n\n${page.slice(end)}`;
}

export function writeDocs(results: Results): void {
  const chart = `![What each server answers in a second, and at what cost](${CHART})`;
  const section = `${chart}\n\n${markdownOf(results)}`;
  writeFileSync(PAGE, withSection(readFileSync(PAGE, 'utf8'), section));
  mkdirSync(fileURLToPath(new URL('.', `file://${CHART_FILE}`)), { recursive: true });
  writeFileSync(CHART_FILE, renderChart(results));
}
