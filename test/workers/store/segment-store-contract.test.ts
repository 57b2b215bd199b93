/** The store contract, held by the store behind the channel with everything real but the process. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BodyEncoder } from '../../../src/segments/compression/body-encoder.ts';
import { TestServer } from './segment-store-setup.ts';
import { describeStore } from './store-contract.ts';

describeStore('SegmentStore', async () => {
  let nowMs = Date.UTC(2030, 0, 1);
  const path = await mkdtemp(join(tmpdir(), 'bigcache-contract-'));
  const server = await TestServer.start(path, () => nowMs);
  const { store, slabs } = server.addWorker(new BodyEncoder());
  return {
    store,
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
    unreleased: () => slabs.onLoan,
    dispose: async () => {
      await server.stop();
      await rm(path, { recursive: true, force: true });
    },
  };
});
