/**
 * Which key a target names, and which keys a prefix, asked over sockets, byte for byte, and compared with a
 * reading of the rules that goes by bytes.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { RawClient } from '../../e2e/openapi/raw-client.ts';
import { listening } from '../app-fixture.ts';

/** One byte of a path, and whether it was written as a triplet. */
interface Unit {
  readonly byte: number;
  readonly isTriplet: boolean;
}

function unitsOf(path: string): Unit[] | undefined {
  const units: Unit[] = [];
  for (let at = 0; at < path.length; at++) {
    const isTriplet = path[at] === '%';
    const hex = path.slice(at + 1, at + 3);
    if (isTriplet && !/^[0-9a-f]{2}$/i.test(hex)) return undefined;
    units.push({ byte: isTriplet ? Number.parseInt(hex, 16) : path.charCodeAt(at), isTriplet });
    if (isTriplet) at += 2;
  }
  return units;
}

const upperCased = (query: string): string =>
  query.replaceAll(/%[0-9a-f]{2}/gi, (triplet) => triplet.toUpperCase());

/** A byte behind the question mark: as it is where a query may show it, else as a triplet. */
function inQuery({ byte, isTriplet }: Unit): string {
  const isShown = byte > 32 && byte < 127 && byte !== 35;
  if (isShown || !isTriplet) return String.fromCharCode(byte);
  return `%${byte.toString(16).padStart(2, '0')}`;
}

/** Undefined for bytes that are no text. */
function textOf(units: readonly Unit[]): string | undefined {
  const bytes = Uint8Array.from(units, ({ byte }) => byte);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

interface Parts {
  readonly path: string;
  /** Undefined where there is no question mark at all. */
  readonly query: string | undefined;
}

/** The path, decoded, and the query; undefined where the target names nothing. */
function partsOf(target: string): Parts | undefined {
  const at = target.indexOf('?');
  const units = unitsOf(at === -1 ? target : target.slice(0, at));
  const sent = at === -1 ? undefined : target.slice(at + 1);
  if (units === undefined) return undefined;
  const mark = units.findIndex(({ byte }) => byte === 63);
  const left = mark === -1 ? units : units.slice(0, mark);
  // What stands behind an encoded question mark is text as well, since the router reads all of the path.
  if (textOf(units) === undefined) return undefined;
  const path = textOf(left) ?? '';
  if ([...path].some((one) => one < ' ' || (one >= '\u007f' && one <= '\u009f'))) return undefined;
  if (mark === -1) return { path, query: sent === undefined ? undefined : upperCased(sent) };
  const decoded = units
    .slice(mark + 1)
    .map(inQuery)
    .join('');
  return { path, query: upperCased(decoded + (sent ? `?${sent}` : '')) };
}

const withoutSlashes = (path: string): string => path.replace(/^\/+/, '').replace(/\/+$/, '');
const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

/** The key of a write, or the status of its refusal. */
function modelledKey(target: string): string | number {
  const parts = partsOf(target);
  if (parts === undefined) return 400;
  const path = withoutSlashes(parts.path);
  const key = parts.query ? `${path}?${parts.query}` : path;
  if (key === '') return 400;
  if (bytesOf(key) > 8192) return 414;
  return path.split('/').some((segment) => segment === '.' || segment === '..') ? 400 : key;
}

/** The prefix, or the status of its refusal. */
function modelledPrefix(target: string): string | number {
  const parts = partsOf(target);
  if (parts === undefined) return 400;
  const { path, query } = parts;
  const prefix =
    query === undefined ? path.replace(/^\/+/, '') : `${withoutSlashes(path)}?${query}`;
  if (prefix === '') return 400;
  return bytesOf(prefix) > 8192 ? 414 : prefix;
}

const PIECES = [
  ...['a', 'b', 'A', '/', '/', '//', '.', '..', '+', '=', '&', ';', '~', '_', '-', "'", '@', ':'],
  ...['%2F', '%2f', '%41', '%61', '%25', '%2525', '%3F', '%3f', '%20', '%23', '%2B', '%2e', '%00'],
  ...['%0A', '%7f', '%C3%A9', '%c3%a9', '%C2%85', '%F0%9F%90%98', '%EF%BB%BF', '%ED%A0%80', '%zz'],
  ...['%', '%4'],
];
const QUERY_PIECES = [...PIECES, '?', '%c3', '%ff', '"', '<', '|', '{', '^', '`', '\\'];

const pathText = fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }).map((all) => all.join(''));
const queryText = fc
  .array(fc.constantFrom(...QUERY_PIECES), { maxLength: 6 })
  .map((all) => `?${all.join('')}`);
const targets = fc
  .tuple(pathText, fc.oneof(fc.constant(''), fc.constant(''), queryText))
  .map((all) => all.join(''));

async function clientOf(t: TestContext) {
  const { port } = await listening(t);
  const client = new RawClient(port);
  t.after(() => client.close());
  return async (method: string, target: string, text?: string) => {
    const body = text === undefined ? undefined : Buffer.from(text);
    const headers =
      body === undefined ? [] : ([['content-type', 'application/json']] as const).slice();
    const answer = await client.ask({ method, target, headers, body });
    return { status: answer.status, told: JSON.parse(answer.body.toString()) as Told };
  };
}

interface Told {
  readonly key?: string;
  readonly value?: string;
  readonly message?: string;
  readonly deleted?: number;
}

test('a target names the key that the rules give it, and is refused where they give none', async (t) => {
  const ask = await clientOf(t);
  await fc.assert(
    fc.asyncProperty(targets, async (target) => {
      const { status, told } = await ask('POST', `/cache/${target}`, '{"value":1}');
      assert.equal(told.key ?? status, modelledKey(target));
    }),
    { numRuns: 600 },
  );
});

test('targets with one key are one entry, and others are others', async (t) => {
  const ask = await clientOf(t);
  await fc.assert(
    fc.asyncProperty(fc.array(targets, { minLength: 2, maxLength: 6 }), async (several) => {
      await ask('POST', '/clear');
      const model = new Map<string, string>();
      for (const target of several) {
        const key = modelledKey(target);
        await ask('POST', `/cache/${target}`, JSON.stringify({ value: target }));
        if (typeof key === 'string') model.set(key, target);
      }
      for (const target of several) {
        const key = modelledKey(target);
        if (typeof key !== 'string') continue;
        const { told } = await ask('GET', `/cache/${target}`);
        assert.deepEqual([told.key, told.value], [key, model.get(key)]);
      }
    }),
    { numRuns: 60 },
  );
});

test('a prefix removes the keys that begin with it, byte for byte, and no others', async (t) => {
  const ask = await clientOf(t);
  const cases = fc.tuple(targets, fc.array(targets, { minLength: 1, maxLength: 6 }));
  await fc.assert(
    fc.asyncProperty(cases, async ([asked, several]) => {
      await ask('POST', '/clear');
      const keys = new Set<string>();
      for (const target of [...several, `${asked}x`]) {
        const key = modelledKey(target);
        await ask('POST', `/cache/${target}`, '{"value":1}');
        if (typeof key === 'string') keys.add(key);
      }
      const { status, told } = await ask('DELETE', `/prefix/${asked}`);
      const prefix = modelledPrefix(asked);
      if (typeof prefix === 'number') {
        assert.equal(status, prefix);
        return;
      }
      const gone = [...keys].filter((key) => key.startsWith(prefix)).length;
      assert.equal(told.message, `prefix '${prefix}': ${gone} keys deleted.`);
    }),
    { numRuns: 80 },
  );
});

test('a key has as many bytes as it may, whatever stands in the target', async (t) => {
  const ask = await clientOf(t);
  const unit = fc.constantFrom('a', '%61', 'a', '%C3%A9', '/');
  await fc.assert(
    fc.asyncProperty(unit, fc.constantFrom(8190, 8191, 8192, 8193, 8194), async (one, bytes) => {
      const each = one === '%C3%A9' ? 2 : 1;
      const many = one.length === 1 ? bytes - 1 : 1000;
      const filler = one.repeat(many);
      const target = `b${filler}${'c'.repeat(bytes - 1 - many * each)}`;
      const { status, told } = await ask('POST', `/cache/${target}`, '{"value":1}');
      assert.equal(told.key ?? status, modelledKey(target));
    }),
    { numRuns: 40 },
  );
});
