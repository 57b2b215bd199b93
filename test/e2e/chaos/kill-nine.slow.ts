/** kill -9 of every process, under fifty thousand operations of every kind. */
import { describe, it } from 'node:test';
import { withstandsKillNine } from './under-kill-nine.ts';

const DURATION_MS = Number(process.env['BIGCACHE_CHAOS_MS'] ?? 60_000);

describe('under kill -9 of workers, of the primary, and of all', () => {
  it('loses nothing acknowledged and serves nothing stale or torn', async (t) => {
    // A shorter run has fewer.
    const acknowledgedMin = Math.min(50_000, (50_000 * DURATION_MS) / 60_000);
    await withstandsKillNine(t, {
      durationMs: DURATION_MS,
      acknowledgedMin,
      bodyShare: 1,
      clients: 12,
    });
  });
});
