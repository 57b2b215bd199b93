/**
 * The exchanges recorded from the original, and how to hold a server to them: one that is built in the
 * test, or one behind a URL.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { SeenAnswer } from './openapi/conformance.ts';

interface Answer {
  readonly status?: number;
  readonly json?: unknown;
  readonly body?: string;
}

interface Exchange {
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly json?: unknown;
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string>>;
  };
  readonly expect: Answer;
  /** Where this server must differ from the original, and why. */
  readonly ours?: Answer & { readonly why: string };
}

export interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface ReceivedAnswer {
  readonly status: number;
  readonly body: string;
}

export type Send = (request: SentRequest) => Promise<ReceivedAnswer>;

const file = new URL('../fixtures/original-contract.json', import.meta.url);
const { exchanges } = JSON.parse(readFileSync(file, 'utf8')) as { exchanges: Exchange[] };

/** Seconds by which a time may miss the one that was computed from the clock. */
const CLOCK_TOLERANCE = 5;
const TEXT_SAYING = /^<text saying (\w+)>$/;
const FROM_NOW = /^<now\+(\d+)>$/;

/** Whether `actual` is what a placeholder of the recording stands for; undefined for no placeholder. */
function matchesPlaceholder(expected: string, actual: unknown): boolean | undefined {
  if (expected === '<n>') return Number.isSafeInteger(actual) && Number(actual) >= 0;
  const seconds = FROM_NOW.exec(expected)?.[1];
  if (seconds !== undefined) {
    const wanted = Date.now() / 1000 + Number(seconds);
    return typeof actual === 'number' && Math.abs(actual - wanted) < CLOCK_TOLERANCE;
  }
  const word = TEXT_SAYING.exec(expected)?.[1];
  if (word !== undefined) return typeof actual === 'string' && actual.includes(word);
  return /^\d+\.\d\d%$/.test(expected) ? /^\d+\.\d\d%$/.test(String(actual)) : undefined;
}

/** Members that the original does not have may be added to objects; nothing else may differ. */
function assertMatches(actual: unknown, expected: unknown, where: string): void {
  if (typeof expected === 'string') {
    const verdict = matchesPlaceholder(expected, actual);
    if (verdict === undefined) assert.equal(actual, expected, where);
    else assert.ok(verdict, `${where}: ${JSON.stringify(actual)} is not ${expected}`);
  } else if (expected !== null && typeof expected === 'object' && !Array.isArray(expected)) {
    assert.ok(actual !== null && typeof actual === 'object', where);
    for (const [name, member] of Object.entries(expected)) {
      assertMatches((actual as Record<string, unknown>)[name], member, `${where}.${name}`);
    }
  } else {
    assert.deepEqual(actual, expected, where);
  }
}

function assertAnswer(answer: ReceivedAnswer, wanted: Answer, title: string): void {
  assert.equal(answer.status, wanted.status, `${title}: ${answer.body}`);
  if (wanted.json !== undefined) assertMatches(JSON.parse(answer.body), wanted.json, title);
  if (wanted.body === '<the JSON text of the entry>') {
    assert.equal((JSON.parse(answer.body) as { value: unknown }).value, 'x', title);
  } else if (wanted.body !== undefined) assert.equal(answer.body, wanted.body, title);
}

/**
 * Sends the recorded exchanges in their order and compares the answers. REQUIRES: an empty store. It is
 * closed afterwards, since the last exchanges close it.
 */
export async function replayOriginal(send: Send): Promise<void> {
  // The entry that `DELETE /prefix/p` found; the recording leaves out how it came to be.
  await send({ method: 'POST', path: '/pickle/p2', headers: {}, body: 'x' });
  for (const { request, expect, ours } of exchanges) {
    const { method, path, json, body, headers } = request;
    const answer = await send({
      method,
      path,
      headers: {
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: json === undefined ? body : JSON.stringify(json),
    });
    assertAnswer(answer, { ...expect, ...ours }, `${method} ${path}`);
  }
}

/** Sends to a server behind `origin`, such as `http://127.0.0.1:36379`, and shows what it answers. */
export function sendTo(origin: string, see: (answer: SeenAnswer) => void = () => {}): Send {
  return async ({ method, path, headers, body }) => {
    const response = await fetch(origin + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const { status } = response;
    const bytes = Buffer.from(await response.arrayBuffer());
    const { pathname, search } = new URL(origin + path);
    // fetch has decoded the body.
    const { 'content-encoding': _encoding, ...fields } = Object.fromEntries(response.headers);
    see({ method, target: pathname + search, status, headers: fields, body: bytes });
    return { status, body: bytes.toString() };
  };
}
