import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Pace } from '../../../../src/primary/store/backup/pace.ts';

describe('a pace', () => {
  it('lets as many bytes through in a second as it is for, and a short burst before', () => {
    let nowMs = 5000;
    const pace = new Pace(1_000_000, () => nowMs);
    let bytes = 0;
    const startedAtMs = nowMs;
    while (nowMs < startedAtMs + 10_000) {
      bytes += 50_000;
      nowMs += pace.spend(50_000);
    }
    assert.ok(bytes >= 10_000_000 && bytes <= 10_200_000, `${bytes}`);
  });

  it('makes nothing up for a long rest', () => {
    let nowMs = 0;
    const pace = new Pace(1_000_000, () => nowMs);
    pace.spend(1000);
    nowMs = 60_000;
    assert.equal(pace.spend(100_000), 0);
    assert.equal(pace.spend(100_000), 100);
  });

  it('ends its wait when the work is cancelled', async () => {
    const command = new AbortController();
    const waiting = new Pace(1000).take(1_000_000, command.signal);
    command.abort(new Error('enough'));
    await assert.rejects(waiting, { name: 'AbortError' });
  });
});
