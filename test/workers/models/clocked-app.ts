/** An application whose clock stands still until it is moved, for the tests against models. */
import type { TestContext } from 'node:test';
import { fixture } from '../app-fixture.ts';

export type Fields = Readonly<Record<string, string>>;

/** Half a second past a whole one, so that rounding shows. */
export const START_MS = Date.UTC(2026, 0, 1, 12, 0, 0, 500);

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';

export function clockedApp(t: TestContext) {
  const clock = { nowMs: START_MS };
  const { app } = fixture(t, { now: () => clock.nowMs });
  const ask = async (
    method: Method,
    url: string,
    headers: Fields = {},
    payload?: string | Buffer,
  ): Promise<Answered> => {
    const sent = { method, url, headers: { host: 'localhost', ...headers } };
    const answer = await app.inject(payload === undefined ? sent : { ...sent, payload });
    const body = method === 'HEAD' ? Buffer.alloc(0) : answer.rawPayload;
    return { status: answer.statusCode, headers: answer.headers, body };
  };
  return { clock, ask };
}
