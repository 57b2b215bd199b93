/** Answers that take longer than a connection may stand still. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { listening } from './app-fixture.ts';
import { MemoryStore } from './store/memory-store.ts';

/** A store as large as takes a while. */
class SlowStore extends MemoryStore {
  override async deletePrefix(prefix: string): Promise<number> {
    await sleep(600);
    return super.deletePrefix(prefix);
  }

  override async open(): Promise<void> {
    await sleep(600);
    return super.open();
  }
}

test('a removal by prefix or an opening may take longer than a connection may stand still', async (t) => {
  const store = new SlowStore(Date.now);
  const server = await listening(t, { store, limits: { sendStallMs: 200 } });
  for (const line of ['DELETE /prefix/a', 'POST /open']) {
    const answer = await server.exchange(
      `${line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 200 /, line);
  }
});
