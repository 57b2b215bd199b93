/** How the results beside peers are laid out: tables, the picture, the section of the page. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { barsOf, renderChart } from '../../../bench/peers/chart.ts';
import { withSection } from '../../../bench/peers/docs.ts';
import { serversTable, targetsTable } from '../../../bench/peers/report.ts';
import { readResults, together } from '../../../bench/results.ts';
import { TARGETS } from '../../../bench/targets.ts';
import { serverRounds, someSeries } from '../some-rounds.ts';

const SMALL = someSeries(
  'read-hot',
  1024,
  serverRounds('bigcache', { requestsPerSecond: 200, cpuUsPerRequest: 40 }),
  serverRounds('nginx', { requestsPerSecond: 300, cpuUsPerRequest: 10 }),
  serverRounds('bare', {}),
);
const LARGE = someSeries('read-hot', 32768, serverRounds('bigcache', { requestsPerSecond: 100 }));

const cellsOf = (line: string | undefined): string[] =>
  (line ?? '').split('|').map((cell) => cell.trim());

describe('the table of the servers', () => {
  it('shows what each does as a part of ours', () => {
    const lines = serversTable([SMALL]).split('\n');
    assert.deepEqual(cellsOf(lines[3]).slice(3, 8), ['nginx', '300', '1.50', '10.0', '0.25']);
  });

  it('has a row for a server without a round that counts', () => {
    const lines = serversTable([someSeries('read-hot', 1024, serverRounds('bigcache'))]).split(
      '\n',
    );
    assert.equal(cellsOf(lines[2]).length, cellsOf(lines[0]).length);
    assert.equal(cellsOf(lines[2])[4], '-');
  });
});

describe('the table of what is promised', () => {
  it('says what was reached, what was missed and what was not measured', () => {
    const [target] = TARGETS;
    assert.ok(target !== undefined);
    const values = [1, 9, undefined];
    const lines = targetsTable(values.map((value) => ({ target, value }))).split('\n');
    assert.deepEqual(
      lines.slice(2).map((line) => cellsOf(line).slice(-3, -1)),
      [
        ['1.00', 'reached'],
        ['9.00', '**missed**'],
        ['-', 'not measured'],
      ],
    );
  });
});

describe('the picture', () => {
  it('has a bar for each server and body of hot reads, and none for what was not measured', () => {
    const other = someSeries('write-new', 1024, serverRounds('FastAPI'));
    const { servers, bodies } = barsOf({ series: [SMALL, LARGE, other], stalls: [] });
    assert.deepEqual(servers, ['bigcache', 'nginx', 'bare']);
    assert.deepEqual(
      bodies.map(({ name, medians }) => [name, medians.map((one) => one?.requestsPerSecond)]),
      [
        ['1 KiB', [200, 300, 1]],
        ['32 KiB', [100, undefined, undefined]],
      ],
    );
  });

  it('is an SVG document that names the servers and shows their figures', () => {
    const svg = renderChart({ series: [SMALL], stalls: [] });
    assert.ok(svg.startsWith('<svg ') && svg.endsWith('</svg>\n'));
    for (const text of ['bigcache', 'nginx', '300', '1 KiB'])
      assert.ok(svg.includes(`>${text}<`), text);
  });
});

describe('the section of the page', () => {
  const page = (between: string): string =>
    `# Page\n<!-- written by npm run bench:peers -- --write-docs -->${between}<!-- end of what is written -->\nrest\n`;

  it('is replaced, and nothing else', () => {
    assert.equal(withSection(page('\nold\n'), 'new'), page('\n\nnew\n\n'));
    assert.equal(withSection(page('\n\nnew\n\n'), 'new'), page('\n\nnew\n\n'));
  });

  it('must be there', () => {
    assert.throws(() => withSection('# Page\n', 'new'), /has no/);
  });
});

describe('results that were kept', () => {
  it('give way to what was measured again at that size, in its place', () => {
    const again = someSeries('read-hot', 1024, serverRounds('bigcache'));
    const kept = { series: [SMALL, LARGE], stalls: [] };
    const other = someSeries('write-new', 1024, serverRounds('bigcache'));
    const { series } = together(kept, { series: [other, again], stalls: [] });
    assert.deepEqual(series, [again, LARGE, other]);
  });

  it('are refused where they are none', (test) => {
    const directory = mkdtempSync(join(tmpdir(), 'bigcache-test-'));
    test.after(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, 'results.json');
    writeFileSync(file, '{"series":[]}');
    assert.throws(() => readResults(file), /holds no results/);
  });
});
