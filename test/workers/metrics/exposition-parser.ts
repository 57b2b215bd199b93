/**
 * A parser of the text exposition format 0.0.4 that lets nothing pass which Prometheus, or a reader who
 * follows its naming conventions, might stumble over. Throws an AssertionError that names the line.
 */
import assert from 'node:assert/strict';

export interface ParsedSample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

export interface ParsedFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: ParsedSample[];
}

const NAME = /^[a-z][a-z0-9_]*$/;
const HELP = /^# HELP (\S+) (\S.*)$/;
const TYPE = /^# TYPE (\S+) (counter|gauge|histogram)$/;
const SAMPLE = /^([a-z][a-z0-9_]*)(?:\{(.+)\})? (\S+)$/;
const LABEL = /([a-z_][a-z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/y;
const VALUE = /^(?:[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

/** All families by name, in their order. */
export function parseExposition(text: string): Map<string, ParsedFamily> {
  assert.ok(text.endsWith('\n') && !text.endsWith('\n\n'), 'it ends with one line feed');
  const families = new Map<string, ParsedFamily>();
  const lines = text.slice(0, -1).split('\n');
  let current: ParsedFamily | undefined;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    const [, name, help] = HELP.exec(line) ?? [];
    if (name !== undefined && help !== undefined) {
      assert.match(name, NAME);
      assert.ok(!families.has(name), `${name} is told of once`);
      at += 1;
      const [, typed, type] = TYPE.exec(lines[at] ?? '') ?? [];
      assert.equal(typed, name, `the type of ${name} follows its help`);
      current = { name, help, type: type as ParsedFamily['type'], samples: [] };
      families.set(name, current);
      continue;
    }
    const sample = parseSample(line);
    assert.ok(current !== undefined && belongsTo(sample.name, current), `${line}: of its family`);
    current.samples.push(sample);
  }
  for (const family of families.values()) checkFamily(family);
  return families;
}

function parseSample(line: string): ParsedSample {
  const [, name, labelText = '', valueText] = SAMPLE.exec(line) ?? [];
  assert.ok(name !== undefined && valueText !== undefined, `a sample: ${line}`);
  assert.match(valueText, VALUE, line);
  const labels = new Map<string, string>();
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const [, label, value] = LABEL.exec(labelText) ?? [];
    assert.ok(label !== undefined && value !== undefined, `labels: ${line}`);
    assert.ok(!labels.has(label), `${label} stands once: ${line}`);
    labels.set(label, value);
  }
  return { name, labels, value: Number(valueText) };
}

const PARTS = ['_bucket', '_sum', '_count'];

function belongsTo(name: string, family: ParsedFamily): boolean {
  if (family.type !== 'histogram') return name === family.name;
  return PARTS.some((part) => name === family.name + part);
}

/** A series as it is told apart from others. */
export function seriesOf({ name, labels }: ParsedSample, without?: string): string {
  const told = [...labels].filter(([label]) => label !== without).sort();
  return `${name} ${JSON.stringify(told)}`;
}

function checkFamily(family: ParsedFamily): void {
  const { name, type, samples } = family;
  assert.ok(samples.length > 0, `${name} is present`);
  assert.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
  const series = samples.map((sample) => seriesOf(sample));
  assert.equal(new Set(series).size, series.length, `${name} has no series twice`);
  for (const { value, labels } of samples) {
    assert.ok(value >= 0, `${name} is not negative`);
    if (type !== 'histogram') assert.ok(!labels.has('le') && !labels.has('quantile'), name);
  }
  if (type === 'histogram') checkHistogram(family);
}

function checkHistogram({ name, samples }: ParsedFamily): void {
  const bySeries = new Map<string, ParsedSample[]>();
  for (const sample of samples) {
    const series = JSON.stringify([...sample.labels].filter(([label]) => label !== 'le').sort());
    bySeries.set(series, [...(bySeries.get(series) ?? []), sample]);
  }
  for (const [series, parts] of bySeries) {
    const title = `${name} ${series}`;
    const buckets = parts.filter((part) => part.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => boundOf(labels.get('le'), title));
    assert.deepEqual(
      bounds,
      [...bounds].sort((one, other) => one - other),
      `${title} rises`,
    );
    assert.equal(bounds.at(-1), Number.POSITIVE_INFINITY, `${title} ends with +Inf`);
    buckets.reduce((before, { value }) => {
      assert.ok(value >= before, `${title} is cumulative`);
      return value;
    }, 0);
    const [count, sum, ...more] = ['_count', '_sum'].map((part) => {
      const found = parts.filter((one) => one.name === name + part);
      assert.equal(found.length, 1, `${title} has one ${part}`);
      return found[0]?.value;
    });
    assert.deepEqual(more, []);
    assert.equal(count, buckets.at(-1)?.value, `${title} counts as many as its last bucket`);
    assert.ok(sum !== undefined && (sum > 0 || count === 0), title);
  }
}

function boundOf(le: string | undefined, title: string): number {
  assert.ok(le !== undefined, `${title} has bounds`);
  if (le === '+Inf') return Number.POSITIVE_INFINITY;
  assert.match(le, VALUE);
  return Number(le);
}

/** The value of the series `name` with exactly these labels. */
export function seriesValue(
  families: ReadonlyMap<string, ParsedFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const wanted = seriesOf({ name, labels: new Map(Object.entries(labels)), value: 0 });
  for (const { samples } of families.values()) {
    for (const sample of samples) if (seriesOf(sample) === wanted) return sample.value;
  }
  assert.fail(`there is no ${wanted}`);
}

/** The series that only grow, with their values: counters, and all parts of histograms. */
export function growing(families: ReadonlyMap<string, ParsedFamily>): Map<string, number> {
  const values = new Map<string, number>();
  for (const { type, samples } of families.values()) {
    if (type === 'gauge') continue;
    for (const sample of samples) values.set(seriesOf(sample), sample.value);
  }
  return values;
}
