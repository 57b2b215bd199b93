/** The text for Prometheus: what is in it, and how it is written. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asJson } from '../../../src/workers/metrics/as-json.ts';
import { EXAMPLE_SNAPSHOT } from '../../../src/workers/metrics/example.ts';
import { expositionOf } from '../../../src/workers/metrics/exposition.ts';
import { FAMILIES } from '../../../src/workers/metrics/families/all.ts';
import { counter, labelled } from '../../../src/workers/metrics/family.ts';
import { parseExposition, seriesValue } from './exposition-parser.ts';

const SMALL = labelled('counter', 'a_total', 'a', ['name'], 'What\nis \\ here', () => [
  { labels: ['plain'], value: 1 },
  { labels: ['a"b\\c\nd'], value: 2.5 },
]);

describe('the exposition', () => {
  it('is what a strict reader takes, and has every family', () => {
    const parsed = parseExposition(expositionOf(FAMILIES, EXAMPLE_SNAPSHOT));
    assert.deepEqual(
      [...parsed.values()].map(({ name, type, help }) => ({ name, type, help })),
      FAMILIES.map(({ name, type, help }) => ({ name, type, help })),
    );
  });

  it('escapes what would end a line or a label', () => {
    assert.equal(
      expositionOf([SMALL], EXAMPLE_SNAPSHOT),
      '# HELP a_total What\\nis \\\\ here\n' +
        '# TYPE a_total counter\n' +
        'a_total{name="plain"} 1\n' +
        'a_total{name="a\\"b\\\\c\\nd"} 2.5\n',
    );
  });

  it('puts a latency at or below the bound that it is at', () => {
    const parsed = parseExposition(expositionOf(FAMILIES, EXAMPLE_SNAPSHOT));
    const name = 'bigcache_http_request_duration_seconds';
    const route = { route: '/v1/entries/{key}', method: 'GET' };
    assert.equal(seriesValue(parsed, `${name}_bucket`, { ...route, le: '0.000512' }), 0);
    assert.equal(seriesValue(parsed, `${name}_bucket`, { ...route, le: '0.001024' }), 1210);
    assert.equal(seriesValue(parsed, `${name}_count`, route), 1210);
    assert.equal(seriesValue(parsed, `${name}_sum`, route), 0.968);
  });

  it('gives seconds where the JSON gives milliseconds', () => {
    const parsed = parseExposition(expositionOf(FAMILIES, EXAMPLE_SNAPSHOT));
    assert.equal(seriesValue(parsed, 'bigcache_saved_seconds_total'), 495);
    const { timeSaved } = asJson(FAMILIES, EXAMPLE_SNAPSHOT);
    assert.deepEqual(timeSaved, { hits: 1100, savedMs: 495_000 });
  });
});

describe('the reader of these tests', () => {
  const refuses = (text: string): void => {
    assert.throws(() => parseExposition(text), assert.AssertionError, text);
  };

  it('refuses what Prometheus would', () => {
    const head = '# HELP a_total A\n# TYPE a_total counter\n';
    assert.equal(parseExposition(`${head}a_total 1\n`).size, 1);
    refuses(`${head}a_total 1`);
    refuses(`${head}a_total 1\n${head}a_total 1\n`);
    refuses(`${head}a_total 1\na_total 2\n`);
    refuses(`${head}b_total 1\n`);
    refuses(`${head}a_total NaN\n`);
    refuses(`${head}a_total{a="1",a="2"} 1\n`);
    refuses(`${head}a_total{a="\\q"} 1\n`);
    refuses(`${head}a_total -1\n`);
    refuses(head);
    refuses('# TYPE a_total counter\na_total 1\n');
    refuses('# HELP a A\n# TYPE a counter\na 1\n');
    refuses('# HELP a_total A\n# TYPE a_total gauge\na_total 1\n');
  });

  it('refuses histograms that are none', () => {
    const head = '# HELP a A\n# TYPE a histogram\n';
    const whole = (buckets: string): string => `${head}${buckets}a_sum 1\na_count 2\n`;
    const first = 'a_bucket{le="1"} 1\n';
    const last = 'a_bucket{le="+Inf"} 2\n';
    assert.equal(parseExposition(whole(first + last)).size, 1);
    refuses(whole(first));
    refuses(whole(last + first));
    refuses(whole(`a_bucket{le="1"} 3\n${last}`));
    refuses(whole('a_bucket{le="+Inf"} 3\n'));
    refuses(`${head}${first}${last}a_count 2\n`);
  });
});

describe('the families', () => {
  it('have names, places and texts of their own', () => {
    const names = FAMILIES.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    const paths = FAMILIES.map(({ path }) => path.join('.'));
    assert.equal(new Set(paths).size, paths.length);
    for (const path of paths) {
      // A value cannot hold others.
      assert.ok(!paths.some((other) => other.startsWith(`${path}.`)), path);
    }
    for (const { name, help } of FAMILIES) {
      assert.match(name, /^bigcache_[a-z_]+$/);
      assert.doesNotMatch(help, /[|\n.]$|\|/, name);
    }
  });

  it('have labels that are the same whatever was counted', () => {
    const busy = EXAMPLE_SNAPSHOT;
    const idle = { ...busy, counters: { hit: 0, miss: 0, expire: 0, delete: 0 } };
    for (const family of FAMILIES) {
      const labelsOf = (all: typeof busy): unknown => family.read(all).map(({ labels }) => labels);
      assert.deepEqual(labelsOf(idle), labelsOf(busy), family.name);
      for (const { labels } of family.read(busy)) {
        assert.equal(labels.length, family.labels.length, family.name);
      }
    }
  });

  it('stand alone where they have no labels', () => {
    const one = counter('b_total', 'b', 'B', () => 7);
    assert.equal(
      expositionOf([one], EXAMPLE_SNAPSHOT),
      '# HELP b_total B\n# TYPE b_total counter\nb_total 7\n',
    );
  });
});
