/** The whole benchmark, with numbers so small that only its working is shown. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runBenchmark } from './run-benchmark.ts';

const MAIN = fileURLToPath(new URL('../../bench/main.ts', import.meta.url));
const TINY = [
  ...['--only', 'read-cold,write-new,connection-per-request', '--sizes', '1KiB'],
  ...['--rounds', '1', '--seconds', '0.2', '--connections', '4', '--write-bytes', '256KiB'],
];

/** The cells of the rows that start with `name`. */
function rowsOf(output: string, name: string): string[][] {
  return output
    .split('\n')
    .filter((line) => line.startsWith(`| ${name} `))
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));
}

/** Runs it with `args`; resolves with what it printed. */
async function run(args: readonly string[]): Promise<string> {
  const { code, output, errors } = await runBenchmark(MAIN, args);
  assert.equal(code, 0, errors);
  return output;
}

describe('the benchmark', () => {
  it('fills every column for both servers, and leaves nothing behind', async (test) => {
    // Not the directory for temporary files, which may be in memory.
    const directory = mkdtempSync('/var/tmp/bigcache-test-');
    test.after(() => rmSync(directory, { recursive: true, force: true }));
    const json = join(directory, 'results.json');
    const output = await run([...TINY, '--directory', directory, '--json', json]);
    for (const name of ['read-cold', 'write-new', 'connection-per-request']) {
      const rows = rowsOf(output, name);
      assert.deepEqual(
        rows.map(([, , server]) => server),
        ['bigcache', 'bare', 'ratio'],
        output,
      );
      for (const row of rows.filter(([, , server]) => server !== 'ratio')) {
        // A lopsided round may be thrown away, and with it the only one.
        if (row.at(-1)?.startsWith('0 ')) continue;
        assert.equal(row.length, 13);
        // Connections that live for one request may all be gone when they are counted.
        const cells = row.filter((_, nth) => nth !== 11 || name !== 'connection-per-request');
        for (const cell of cells) assert.match(cell, /^[a-z0-9][\w .%()+-]*$/i, row.join(' | '));
        assert.ok(Number(row[3]) > 0 && Number(row[4]) > 0, row.join(' | '));
      }
    }
    const [cold] = rowsOf(output, 'read-cold');
    assert.ok(Number(cold?.[10]) > 0.5, `bodies came from disk: ${output}`);
    const stalls = rowsOf(output, '1 KiB');
    assert.deepEqual(
      stalls.map(([, server, requests]) => [server, requests]),
      [
        ['bigcache', '256'],
        ['bare', '256'],
      ],
      output,
    );
    assert.equal(JSON.parse(readFileSync(json, 'utf8')).series.length, 3);
    assert.deepEqual(readdirSync(directory), ['results.json']);
  });

  it('says what it can be asked for', async () => {
    assert.match(await run(['--help']), /--write-bytes/);
  });
});
