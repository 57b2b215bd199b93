/** kill -9 of every process, under a million operations of every kind; with short bodies, to fit the time. */
import { describe, it } from 'node:test';
import { withstandsKillNine } from './under-kill-nine.ts';

const DURATION_MS = Number(process.env['BIGCACHE_CHAOS_MS'] ?? 360_000);
const ACKNOWLEDGED_MIN = Number(process.env['BIGCACHE_CHAOS_OPERATIONS'] ?? 1_000_000);

describe('under kill -9 of workers, of the primary, and of all, for a million operations', () => {
  it('loses nothing acknowledged and serves nothing stale or torn', async (t) => {
    await withstandsKillNine(t, {
      durationMs: DURATION_MS,
      acknowledgedMin: ACKNOWLEDGED_MIN,
      bodyShare: 0.05,
      clients: 32,
    });
  });
});
