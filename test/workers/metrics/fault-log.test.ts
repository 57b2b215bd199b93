/** Faults of the system behind refusals: told with their cause, and not once for each request. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { FaultLog } from '../../../src/workers/metrics/fault-log.ts';
import type { Content, Hit, Miss, Reading } from '../../../src/workers/store/store.ts';
import { fixture, listening, request, until } from '../app-fixture.ts';
import { MemoryStore } from '../store/memory-store.ts';

const EIO = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });

/** A store on a disk that fails: at once, or after the begin of a body. */
class FailingStore extends MemoryStore {
  isStreaming = false;

  override async get(key: string, reading?: Reading): Promise<Hit | Miss> {
    const failure = new BigCacheError('STORE_FAILED', undefined, { cause: EIO });
    if (!this.isStreaming) throw failure;
    const found = await super.get(key, reading);
    if (!found.found) return found;
    const content: Content = {
      byteLength: found.content.byteLength,
      whole: undefined,
      async *chunks() {
        yield Buffer.from('the begin');
        throw failure;
      },
      release: () => found.content.release(),
    };
    return { ...found, content };
  }
}

const faultsIn = (logged: readonly unknown[]): unknown[] =>
  logged.map((line) => (line as { err?: unknown }).err);

describe('a fault of the system', () => {
  it('is told with its cause where a read is refused for it', async (t) => {
    const { app, logged } = fixture(t, { store: new FailingStore() });
    const { statusCode } = await app.inject('/v1/entries/a');
    assert.equal(statusCode, 503);
    assert.deepEqual(faultsIn(logged), [EIO]);
    assert.equal((await app.inject('/v1/entries/a')).statusCode, 503);
    assert.equal(logged.length, 1, 'and not once for each');
  });

  it('is told where it cuts an answer off that has begun', async (t) => {
    const store = new FailingStore();
    store.isStreaming = true;
    const server = await listening(t, { store });
    await server.exchange(request('PUT /v1/entries/a', ['Content-Length: 20'], 'x'.repeat(20)));
    assert.match(await server.exchange(request('GET /v1/entries/a')), /the begin$/);
    await until(() => server.logged.length > 0);
    assert.deepEqual(faultsIn(server.logged), [EIO]);
    assert.equal(store.unreleased, 0);
  });

  it('is told again after five seconds, with how many were left out', () => {
    const lines: object[] = [];
    const time = { nowMs: 0 };
    const log = new FaultLog({ error: (line: object) => lines.push(line) }, () => time.nowMs);
    const asked = { requestId: 'r-1', method: 'GET' };
    for (let nth = 0; nth < 10; nth++) log.note(EIO, asked);
    time.nowMs = 5000;
    for (let nth = 0; nth < 10; nth++) log.note(EIO, asked);
    assert.deepEqual(lines, [
      { err: EIO, ...asked },
      { err: EIO, ...asked, leftOut: 9 },
    ]);
  });
});
