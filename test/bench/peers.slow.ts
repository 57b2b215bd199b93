/**
 * The benchmark beside every peer that is installed, with numbers so small that only its working is
 * shown: those of a short run say nothing.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { availableOf } from '../../bench/peers/available.ts';
import { PEERS, SCENARIOS } from '../../bench/peers/scenarios.ts';
import { readResults } from '../../bench/results.ts';
import { READ_HOT, READ_WHILE_WRITING, SERVERS, VOLUME, WRITE_NEW } from '../../bench/workloads.ts';
import { runBenchmark } from './run-benchmark.ts';

const MAIN = fileURLToPath(new URL('../../bench/peers/main.ts', import.meta.url));
const NAMES = [READ_HOT.name, VOLUME, READ_WHILE_WRITING];
const BODY_BYTES = 32 * 1024;
const TINY = [
  ...['--only', NAMES.join(), '--rounds', '1', '--seconds', '0.1', '--connections', '4'],
  ...['--sizes', String(BODY_BYTES), '--write-bytes', '1MiB', '--write-seconds', '1'],
];

describe('the benchmark beside peers', () => {
  it('measures each that is installed, names the others, and leaves nothing behind', async (test) => {
    // Not the directory for temporary files, which may be in memory.
    const directory = mkdtempSync('/var/tmp/bigcache-test-');
    test.after(() => rmSync(directory, { recursive: true, force: true }));
    const [json, chart] = [join(directory, 'results.json'), join(directory, 'chart.svg')];
    const files = ['--directory', directory, '--json', json, '--chart', chart];
    const { code, output, errors } = await runBenchmark(MAIN, [...TINY, ...files]);
    assert.equal(code, 0, errors);

    const scenarios = SCENARIOS.filter(
      ({ name, bodyBytes }) => NAMES.includes(name) && bodyBytes === BODY_BYTES,
    );
    const { peers, missing } = availableOf(PEERS, scenarios);
    for (const line of missing) assert.ok(errors.includes(line), errors);
    const { series, stalls } = readResults(json);
    for (const { name, bodyBytes, peers: wanted } of scenarios) {
      const found = series.find((one) => one.workload === name && one.bodyBytes === bodyBytes);
      const expected = wanted.filter((peer) => peers.includes(peer)).map((peer) => peer.name);
      const measured =
        name === VOLUME
          ? stalls.map(({ server }) => server)
          : found?.servers.map(({ server }) => server);
      const twoTimes = [SERVERS.writing, SERVERS.idle];
      assert.deepEqual(measured, name === READ_WHILE_WRITING ? twoTimes : expected, output);
      for (const { rounds } of found?.servers ?? []) {
        for (const round of rounds) assert.ok(round.requestsPerSecond > 0, output);
      }
    }
    assert.match(output, /\| read-hot +\| 32 KiB +\| bare +\|/);
    assert.match(readFileSync(chart, 'utf8'), /^<svg /);
    assert.deepEqual(readdirSync(directory).sort(), ['chart.svg', 'results.json']);
  });

  it('starts nothing where a peer must be there and is not', async () => {
    const args = ['--require', 'all', '--only', WRITE_NEW.name];
    const { code, output, errors } = await runBenchmark(MAIN, args, {
      BIGCACHE_BENCH_PYTHON: '/no/such/python',
    });
    assert.equal(code, 1, output);
    assert.match(errors, /FastAPI \+ plyvel is left out. It lacks fastapi.*pip install -r/);
    assert.equal(output, '');
  });
});
