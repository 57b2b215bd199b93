/** The OpenAPI document as the tests read it: its operations, and which of them a request is for. */

/** A JSON schema, as far as the tests look into it. */
export interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly format?: string;
  readonly pattern?: string;
  readonly examples?: readonly unknown[];
}

export interface Media {
  readonly schema: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

export type Content = Readonly<Record<string, Media>>;

export interface Header {
  readonly required?: boolean;
  readonly schema: Schema;
}

export interface Reference {
  readonly $ref: string;
}

export interface Response {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Header | Reference>>;
  readonly content?: Content;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: Schema;
  readonly example?: unknown;
}

export interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, Response>>;
}

export interface ApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly headers: Readonly<Record<string, Header>>;
    readonly responses: Readonly<Record<string, Response>>;
  };
}

/** Answers that are described together, under a name: `GET /cache/{key}`. */
export interface Described {
  readonly name: string;
  readonly responses: Readonly<Record<string, Response>>;
}

/** What the path of the document begins with before its parameter, which is always its end. */
export function mountOf(path: string): string | undefined {
  const at = path.indexOf('{');
  return at === -1 ? undefined : path.slice(0, at);
}

/** What is answered where no operation is, which the document has among its components. */
export function unmatchedOf({ components }: ApiDocument): Described {
  const prefix = 'unmatched-';
  const responses = Object.entries(components.responses)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, response]) => [name.slice(prefix.length), response]);
  return { name: 'no route', responses: Object.fromEntries(responses) };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * What an answer to this request can be. A path that is written with needless triplets may be taken for the
 * one that it stands for (RFC 9110 section 4.2.3), or for none.
 */
export function describedFor(document: ApiDocument, method: string, target: string): Described[] {
  const unmatched = unmatchedOf(document);
  const [path = ''] = target.split('?', 1);
  const asWritten = operationAt(document, method, path);
  if (asWritten !== undefined) return [asWritten];
  const plain = decoded(path);
  const other = plain === undefined ? undefined : operationAt(document, method, plain);
  return other === undefined ? [unmatched] : [unmatched, other];
}

/** HEAD is answered as GET is, where it is at all. */
function operationAt(document: ApiDocument, method: string, path: string): Described | undefined {
  const found = Object.keys(document.paths)
    .filter((one) => one === path || path.startsWith(mountOf(one) ?? '\0'))
    .sort((one, other) => other.length - one.length)[0];
  if (found === undefined) return undefined;
  const operations = document.paths[found] ?? {};
  const { get } = operations;
  if (method === 'HEAD' && get !== undefined) {
    const responses = { ...get.responses, 405: unmatchedOf(document).responses['405'] ?? NONE };
    return { name: `GET ${found}`, responses };
  }
  const operation = operations[method.toLowerCase()];
  return operation === undefined
    ? undefined
    : { name: `${method} ${found}`, responses: operation.responses };
}

const NONE: Response = { description: '' };
