/**
 * When a server that is being started serves its first hit.
 */
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** An attempt that takes longer is given up; the next one follows at once. */
const ATTEMPT_MAX_MS = 250;
const PAUSE_MS = 2;

/** Asks again and again, each time over a new connection; resolves at the first 200. */
export async function firstHit(url: string, withinMs: number): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while (performance.now() < giveUpAt) {
    if ((await statusOf(url)) === 200) return;
    await sleep(PAUSE_MS);
  }
  throw new Error(`no hit within ${withinMs} ms`);
}

/** The status of the answer; undefined where there is none. */
function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asked = get(url, { agent: false, timeout: ATTEMPT_MAX_MS }, (response) => {
      response.resume();
      response.on('close', () => resolve(response.statusCode));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
  });
}
