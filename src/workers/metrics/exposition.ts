/**
 * The text that Prometheus reads, version 0.0.4 of its exposition format: of each family its help, its type
 * and its samples.
 */
import type { Family, Snapshot } from './family.ts';
import { distributionOf } from './latency.ts';

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const US_PER_SECOND = 1e6;

export function expositionOf(families: readonly Family[], all: Snapshot): string {
  const lines: string[] = [];
  for (const family of families) {
    const { name, type, help } = family;
    lines.push(`# HELP ${name} ${escapedHelp(help)}`, `# TYPE ${name} ${type}`);
    if (family.type === 'histogram') {
      for (const { labels, value } of family.read(all)) {
        const named = labelText(family.labels, labels);
        const { cumulative, count, sumUs } = distributionOf(value.latencies, value.sumUs);
        for (const bucket of cumulative) {
          const bound = numberText(bucket.boundUs / US_PER_SECOND);
          lines.push(`${name}_bucket{${named},le="${bound}"} ${numberText(bucket.count)}`);
        }
        lines.push(`${name}_sum{${named}} ${numberText(sumUs / US_PER_SECOND)}`);
        lines.push(`${name}_count{${named}} ${numberText(count)}`);
      }
      continue;
    }
    for (const { labels, value } of family.read(all)) {
      const named = labels.length === 0 ? '' : `{${labelText(family.labels, labels)}}`;
      lines.push(`${name}${named} ${numberText(value)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function labelText(names: readonly string[], values: readonly string[]): string {
  return names.map((name, at) => `${name}="${escapedLabel(values[at] ?? '')}"`).join(',');
}

/** The format wants a backslash before these three. */
function escapedLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function escapedHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return String(value);
}
