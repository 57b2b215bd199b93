/**
 * JSON Schema as the routes write it down for the OpenAPI document. Nothing is checked by it, so a dozen
 * words are enough: a library for it was half of the time that a worker needs to load
 * (docs/decisions/start-after-a-crash.md).
 */

/** A schema of the draft 2020-12, the one of OpenAPI 3.1. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

export interface ObjectSchema<Properties> extends JsonSchema {
  readonly properties: Properties;
}

type Keywords = Readonly<Record<string, unknown>>;
type Members = Readonly<Record<string, JsonSchema>>;

/** Marks the members of an object that may be missing; JSON shows no symbols. */
const OPTIONAL = Symbol('optional');

/** Each makes a schema; the last parameter has further keywords. */
export const Type = {
  Null: (keywords?: Keywords): JsonSchema => ({ type: 'null', ...keywords }),
  Boolean: (keywords?: Keywords): JsonSchema => ({ type: 'boolean', ...keywords }),
  Integer: (keywords?: Keywords): JsonSchema => ({ type: 'integer', ...keywords }),
  Number: (keywords?: Keywords): JsonSchema => ({ type: 'number', ...keywords }),
  String: (keywords?: Keywords): JsonSchema => ({ type: 'string', ...keywords }),
  /** Anything at all. */
  Unknown: (keywords?: Keywords): JsonSchema => ({ ...keywords }),
  Literal: (value: string | number | boolean, keywords?: Keywords): JsonSchema => {
    return { type: typeof value, const: value, ...keywords };
  },
  Union: (schemas: readonly JsonSchema[], keywords?: Keywords): JsonSchema => {
    return { anyOf: schemas, ...keywords };
  },
  Array: (items: JsonSchema, keywords?: Keywords): JsonSchema => {
    return { type: 'array', items, ...keywords };
  },
  /** An object with members of any names. */
  Record: (values: JsonSchema, keywords?: Keywords): JsonSchema => {
    return { type: 'object', additionalProperties: values, ...keywords };
  },
  /** A member of an object that may be missing. */
  Optional: (schema: JsonSchema): JsonSchema => ({ ...schema, [OPTIONAL]: true }),
  Object: <Properties extends Members>(
    properties: Properties,
    keywords?: Keywords,
  ): ObjectSchema<Properties> => {
    const required = Object.keys(properties).filter((name) => !isOptional(properties[name]));
    return {
      type: 'object',
      ...(required.length > 0 ? { required } : {}),
      properties,
      ...keywords,
    };
  },
};

function isOptional(schema: JsonSchema | undefined): boolean {
  return schema !== undefined && OPTIONAL in schema;
}
