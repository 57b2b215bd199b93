/** Counters under kill -9 of the primary: every increment that was acknowledged is there, none twice. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { eventually } from '../eventually.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { ServerProcess } from './server-process.ts';

const ROUNDS = 3;
const ACKNOWLEDGED_PER_ROUND = 300;
const CLIENTS = 8;
const KEYS = ['n/0', 'n/1', 'n/2'];

/** What one key has come to, as far as clients know. */
interface Tally {
  /** The greatest value that was answered. */
  greatest: number;
  /** Increments of which nobody knows whether they happened. */
  unknown: number;
  acknowledged: number;
}

async function increment(url: string, key: string, tally: Tally): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/v1/incr/${key}`, { method: 'POST' });
    const { value } = (await answer.json()) as { value?: number };
    if (answer.status !== 200 || value === undefined) {
      tally.unknown += 1;
      return false;
    }
    tally.acknowledged += 1;
    tally.greatest = Math.max(tally.greatest, value);
    return true;
  } catch {
    tally.unknown += 1;
    return false;
  }
}

describe('counters under kill -9', () => {
  it('keep what was acknowledged, and count nothing twice', async (t) => {
    const directory = await temporaryDirectory(t);
    const tallies = new Map(KEYS.map((key) => [key, { greatest: 0, unknown: 0, acknowledged: 0 }]));
    const acknowledged = (): number =>
      [...tallies.values()].reduce((sum, tally) => sum + tally.acknowledged, 0);
    for (let round = 0; round < ROUNDS; round++) {
      const server = await ServerProcess.start(t, directory, '--workers', '2');
      let isOver = false;
      const clients = Array.from({ length: CLIENTS }, async (_, nth) => {
        for (let sent = 0; !isOver && sent < 100_000; sent++) {
          const key = KEYS[(nth + sent) % KEYS.length] ?? '';
          const tally = tallies.get(key);
          assert.ok(tally !== undefined);
          if (!(await increment(server.url, key, tally))) return;
        }
      });
      const killAt = (round + 1) * ACKNOWLEDGED_PER_ROUND;
      await eventually(() => acknowledged() >= killAt, 30_000);
      await server.kill();
      isOver = true;
      await Promise.all(clients);
    }
    const server = await ServerProcess.start(t, directory, '--workers', '2');
    let total = 0;
    for (const [key, { greatest, unknown, acknowledged: known }] of tallies) {
      const answer = await fetch(`${server.url}/v1/entries/${key}`);
      const value = Number(await answer.text());
      total += known;
      const told = `${key}: ${value}, ${known} acknowledged, ${unknown} unknown`;
      t.diagnostic(told);
      assert.ok(value >= greatest, told);
      assert.ok(value >= known && value <= known + unknown, told);
    }
    assert.ok(total >= ROUNDS * ACKNOWLEDGED_PER_ROUND, `${total} increments are too few`);
    assert.equal(await server.stop(), 0);
  });
});
