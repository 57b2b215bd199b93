/** docs/metrics.md has a row for each series; what examples and pages name is among them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { FAMILIES } from '../src/workers/metrics/families/all.ts';
import type { Family } from '../src/workers/metrics/family.ts';

const textOf = (path: string): string =>
  readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

const code = (text: string): string => `\`${text}\``;

function rowOf({ name, type, labels, path, help }: Family): string {
  const cells = [code(name), type, labels.map(code).join(', '), code(path.join('.')), help];
  return `| ${cells.join(' | ')} |`;
}

/** What may be written of a family: its name, and the parts of a histogram. */
function namesOf({ name, type }: Family): string[] {
  return type === 'histogram'
    ? ['_bucket', '_sum', '_count', ''].map((part) => name + part)
    : [name];
}

const NAMES = new Set(FAMILIES.flatMap(namesOf));

describe('docs/metrics.md', () => {
  it('has one row for each series, and no other', () => {
    const rows = textOf('docs/metrics.md')
      .split('\n')
      .filter((line) => line.startsWith('| `bigcache_'));
    assert.deepEqual(rows, FAMILIES.map(rowOf));
  });
});

describe('a series that is named', () => {
  const places = [
    'docs/metrics.md',
    'docs/operating.md',
    'README.md',
    'examples/prometheus.yml',
    'examples/bigcache-alerts.yml',
    'examples/grafana-dashboard.json',
  ];
  for (const place of places) {
    it(`in ${place} is one`, () => {
      for (const [name] of textOf(place).matchAll(/\bbigcache_[a-z_]+/g)) {
        assert.ok(NAMES.has(name), `${name} in ${place}`);
      }
    });
  }

  it('in the dashboard is shown by panels that have a place each', () => {
    const { panels } = JSON.parse(textOf('examples/grafana-dashboard.json')) as {
      panels: {
        id: number;
        title: string;
        gridPos: { x: number; y: number };
        targets?: unknown[];
      }[];
    };
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    const places = panels.map(({ gridPos }) => `${gridPos.x},${gridPos.y}`);
    assert.equal(new Set(places).size, panels.length);
    for (const { title, targets } of panels) assert.ok((targets?.length ?? 0) > 0, title);
  });
});
