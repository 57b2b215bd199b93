/** The same series as JSON, for `/v1/stats`, and the schema of that. */
import { type JsonSchema, Type } from '../routes/json-schema.ts';
import type { Family, Snapshot } from './family.ts';
import { distributionOf, percentileUs } from './latency.ts';

const US_PER_MS = 1000;

/** A value, or an object of them. */
export interface Tree {
  [member: string]: Tree | number | readonly object[];
}

/** An object of objects; values of labels are the innermost names. */
export function asJson(families: readonly Family[], all: Snapshot): Tree {
  const root: Tree = {};
  for (const family of families) {
    // A family that has no sample yet is an object too.
    if (family.labels.length > 0) place(root, family.path, {});
    if (family.type === 'histogram') {
      for (const { labels, value } of family.read(all)) {
        place(root, [...family.path, ...labels], summary(value.latencies, value.sumUs));
      }
      continue;
    }
    for (const { labels, value } of family.read(all)) {
      place(root, [...family.path, ...labels], scaled(value, family.jsonScale));
    }
  }
  return root;
}

function scaled(value: number, scale: number): number {
  return scale === 1 ? value : Math.round(value * scale * US_PER_MS) / US_PER_MS;
}

function summary(latencies: readonly number[], sumUs: number): Tree {
  const { count } = distributionOf(latencies, sumUs);
  return {
    count,
    mean: count === 0 ? 0 : Math.round(sumUs / count) / US_PER_MS,
    p50: percentileUs(latencies, 0.5) / US_PER_MS,
    p90: percentileUs(latencies, 0.9) / US_PER_MS,
    p99: percentileUs(latencies, 0.99) / US_PER_MS,
  };
}

/** Puts a value where `path` leads. */
export function place(root: Tree, path: readonly string[], value: Tree[string]): void {
  let at = root;
  for (const name of path.slice(0, -1)) {
    at[name] ??= {};
    at = at[name] as Tree;
  }
  at[path.at(-1) ?? ''] = value;
}

const Summary = Type.Object({
  count: Type.Integer({ minimum: 0 }),
  mean: Type.Number(),
  p50: Type.Number(),
  p90: Type.Number(),
  p99: Type.Number(),
});

interface SchemaTree {
  readonly members: Map<string, SchemaTree>;
  leaf?: JsonSchema;
}

/** Something that stands beside the series. */
export interface MoreJson {
  readonly path: readonly string[];
  readonly schema: JsonSchema;
}

/** The members of the object that `asJson` makes, with what stands beside the series. */
export function jsonSchemaOf(
  families: readonly Family[],
  more: readonly MoreJson[],
): Record<string, JsonSchema> {
  const root: SchemaTree = { members: new Map() };
  const series = families.map((family) => ({ path: family.path, schema: leafOf(family) }));
  for (const { path, schema } of [...series, ...more]) {
    let at = root;
    for (const name of path) {
      const below = at.members.get(name) ?? { members: new Map() };
      at.members.set(name, below);
      at = below;
    }
    at.leaf = schema;
  }
  return membersOf(root);
}

function membersOf({ members }: SchemaTree): Record<string, JsonSchema> {
  const all: Record<string, JsonSchema> = {};
  for (const [name, below] of members) all[name] = below.leaf ?? Type.Object(membersOf(below));
  return all;
}

function leafOf({ type, help, labels }: Family): JsonSchema {
  const innermost: JsonSchema = type === 'histogram' ? Summary : Type.Number({ minimum: 0 });
  if (labels.length === 0) return Type.Number({ minimum: 0, description: `${help}.` });
  let schema = innermost;
  for (const [at, label] of [...labels].reverse().entries()) {
    const isOutermost = at === labels.length - 1;
    const by = `By ${label}.`;
    schema = Type.Record(schema, {
      description: isOutermost ? `${help}. ${by}` : by,
    });
  }
  return schema;
}
