/**
 * Whether answers are what the OpenAPI document says of them: their status, their headers, and the body
 * by its schema. What the document does not mention is a fault too.
 */
import { gunzipSync } from 'node:zlib';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { unpack } from 'msgpackr';
import {
  type ApiDocument,
  type Content,
  type Described,
  describedFor,
  type Header,
  type Media,
  type Reference,
  type Response,
  type Schema,
} from './document.ts';

/** An answer, and what of its request says how it is described. */
export interface SeenAnswer {
  readonly method: string;
  readonly target: string;
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

/** Of the message and its connection (RFC 9112), and the date; the type is judged with the body. */
const FRAMING = new Set([
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'transfer-encoding',
]);

const INT64_LIMIT = 2 ** 63;

function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
  ajv.addFormat('binary', true);
  ajv.addFormat('int64', {
    type: 'number',
    validate: (value: number) => Number.isInteger(value) && Math.abs(value) <= INT64_LIMIT,
  });
  return ajv;
}

/** The schema, with no member in an object that it does not name. */
function closed(schema: Schema): Schema {
  const { properties = {}, additionalProperties, items, anyOf } = schema;
  const names = Object.keys(properties);
  const isOpen = additionalProperties === undefined && names.length === 0;
  return {
    ...schema,
    ...(names.length === 0
      ? {}
      : { properties: Object.fromEntries(names.map((name) => [name, member(properties, name)])) }),
    ...(typeof additionalProperties === 'object'
      ? { additionalProperties: closed(additionalProperties) }
      : isOpen
        ? {}
        : { additionalProperties: additionalProperties ?? false }),
    ...(items === undefined ? {} : { items: closed(items) }),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map(closed) }),
  };
}

const member = (properties: Readonly<Record<string, Schema>>, name: string): Schema =>
  closed(properties[name] ?? {});

const typeOf = (field: unknown): string =>
  String(field ?? '')
    .split(';', 1)[0]
    ?.trim()
    .toLowerCase() ?? '';

/** The media type of the document that covers `type`, the most exact one first. */
function mediaFor(content: Content, type: string): [range: string, media: Media] | undefined {
  const ranges = [type, `${type.split('/', 1)[0]}/*`, '*/*'];
  for (const range of ranges) {
    const media = content[range];
    if (media !== undefined) return [range, media];
  }
  return undefined;
}

/** msgpack has bytes and big integers where JSON has text and numbers. */
function asJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (Array.isArray(value)) return value.map(asJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, asJson(one)]));
}

/** The body as its schema describes it. Throws where it is not of its type. */
function decodedBody(range: string, body: Buffer): unknown {
  if (range === 'application/json') return JSON.parse(body.toString());
  if (range === 'application/msgpack') return asJson(unpack(body));
  return body.toString('latin1');
}

export class Conformance {
  readonly document: ApiDocument;
  readonly #ajv = newAjv();
  /** Compiled once; schemas are asked for by identity. */
  readonly #validators = new Map<Schema, ValidateFunction>();

  constructor(document: ApiDocument) {
    this.document = document;
  }

  /** The operation that an answer is one of; `no route` where there is none. */
  nameOf({ method, target }: Pick<SeenAnswer, 'method' | 'target'>): string {
    return describedFor(this.document, method, target)[0]?.name ?? '';
  }

  /** What the document does not say of the answer, in words; nothing where all is as it says. */
  faultsOf(answer: SeenAnswer): string[] {
    const possible = describedFor(this.document, answer.method, answer.target);
    let fewest: string[] | undefined;
    for (const described of possible) {
      const faults = this.#faultsAs(described, answer);
      if (fewest === undefined || faults.length < fewest.length) fewest = faults;
    }
    return fewest ?? [];
  }

  /** What is wrong with a value that the schema describes; undefined where nothing is. */
  faultOf(schema: Schema, value: unknown): string | undefined {
    let validate = this.#validators.get(schema);
    if (validate === undefined) {
      validate = this.#ajv.compile(closed(schema));
      this.#validators.set(schema, validate);
    }
    if (validate(value)) return undefined;
    return this.#ajv.errorsText(validate.errors, { dataVar: 'it' });
  }

  #faultsAs({ name, responses }: Described, answer: SeenAnswer): string[] {
    const response = responses[String(answer.status)];
    if (response === undefined) {
      return [`${name} has no status ${answer.status}: ${answer.body.toString().slice(0, 200)}`];
    }
    const faults = [...this.#headerFaults(response, answer), ...this.#bodyFaults(response, answer)];
    return faults.map((fault) => `${name}, ${answer.status}: ${fault}`);
  }

  *#headerFaults(response: Response, { headers }: SeenAnswer): Generator<string> {
    const described = response.headers ?? {};
    for (const [name, reference] of Object.entries(described)) {
      const header = this.#headerOf(reference);
      const value = headers[name];
      if (value === undefined) {
        if (header.required === true) yield `without ${name}`;
        continue;
      }
      const fault = this.faultOf(header.schema, [value].flat().join(', '));
      if (fault !== undefined) yield `${name} is ${JSON.stringify(value)}: ${fault}`;
    }
    for (const [name, value] of Object.entries(headers)) {
      if (value === undefined || FRAMING.has(name) || described[name] !== undefined) continue;
      yield `with ${name}, which is not described`;
    }
  }

  #headerOf(header: Header | Reference): Header {
    if (!('$ref' in header)) return header;
    const name = header.$ref.replace('#/components/headers/', '');
    const found = this.document.components.headers[name];
    if (found === undefined) throw new Error(`the document has no ${header.$ref}`);
    return found;
  }

  *#bodyFaults({ content }: Response, answer: SeenAnswer): Generator<string> {
    const { method, headers, body } = answer;
    const type = typeOf(headers['content-type']);
    if (content === undefined) {
      if (body.length > 0 || type !== '') yield 'with a body, which is not described';
      return;
    }
    const found = mediaFor(content, type);
    if (found === undefined) {
      yield `the body is ${JSON.stringify(type)}, not ${Object.keys(content).join(' or ')}`;
      return;
    }
    if (method === 'HEAD') {
      if (body.length > 0) yield 'with a body, to HEAD';
      return;
    }
    const [range, { schema }] = found;
    try {
      const isEncoded = range !== '*/*' && headers['content-encoding'] === 'gzip';
      const plain = isEncoded ? gunzipSync(body) : body;
      const fault = this.faultOf(schema, decodedBody(range, plain));
      if (fault !== undefined) yield `the body: ${fault}`;
    } catch (error) {
      yield `the body is no ${range}: ${String(error)}`;
    }
  }
}
