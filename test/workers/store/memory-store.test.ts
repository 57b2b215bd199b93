import { MemoryStore } from './memory-store.ts';
import { describeStore } from './store-contract.ts';

describeStore('MemoryStore', async () => {
  let nowMs = Date.UTC(2030, 0, 1);
  const store = new MemoryStore(() => nowMs);
  return {
    store,
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
    unreleased: () => store.unreleased,
  };
});
