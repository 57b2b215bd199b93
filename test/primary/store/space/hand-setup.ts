import { type Logger, pino } from 'pino';
import scanEntries, {
  type ScanRequest,
  type ScanResult,
} from '../../../../src/primary/jobs/scan-entries.ts';
import { EntryStore } from '../../../../src/primary/store/entry-store.ts';
import { entryKey } from '../../../../src/primary/store/index/index-keys.ts';
import { Hand, type HandOptions } from '../../../../src/primary/store/space/hand.ts';
import type { Clock } from '../../../../src/primary/store/space/rate-limit.ts';
import { openedIndex, recordOf, SILENT } from '../store-setup.ts';

type Scan = (request: ScanRequest) => Promise<ScanResult>;

export interface Subject {
  /** Stands in for the job thread. */
  readonly scan?: Scan;
  readonly now?: () => number;
  readonly hand?: Partial<HandOptions>;
}

/** A hand over a store with these keys. */
export async function handOver(
  test: Parameters<typeof openedIndex>[0],
  keys: readonly string[],
  { scan = scanEntries, now = Date.now, hand: options = {} }: Subject = {},
) {
  // No scan may be under way when the index is closed.
  const cleanUps: (() => Promise<void>)[] = [];
  const after = (cleanUp: () => Promise<void>): void => void cleanUps.unshift(cleanUp);
  test.after(async () => {
    for (const cleanUp of cleanUps) await cleanUp();
  });
  const { directory, index } = await openedIndex({ after });
  const store = await EntryStore.load(index, { now });
  const segment = await store.grantSegment(1);
  const commit = (key: string, expiresAtMs = 0): Promise<unknown> =>
    store.commit(1, key, recordOf(key, { segment, expiresAtMs }));
  await Promise.all(keys.map((key) => commit(key)));
  const newHand = (over: EntryStore, differently: Partial<HandOptions> = {}): Hand => {
    const hand = new Hand({
      store: over,
      jobs: { scanEntries: scan },
      indexPath: directory.indexPath,
      entriesPerSecond: 1_000_000,
      log: SILENT,
      now,
      roundPauseMs: 10,
      ...options,
      ...differently,
    });
    after(() => hand.stop());
    return hand;
  };
  const hand = newHand(store);
  /** The store and its hand as a restart finds them; whatever it was doing has stopped by then. */
  const restart = async (differently?: Partial<HandOptions>) => {
    const again = await EntryStore.load(index, { now });
    return { store: again, hand: newHand(again, differently) };
  };
  const has = async (key: string): Promise<boolean> =>
    (await index.get(entryKey(key))) !== undefined;
  return { store, hand, index, commit, has, restart };
}

/** Time that passes only while someone sleeps. */
export class TestClock implements Clock {
  nowMs = 0;
  readonly elapsedMs = (): number => this.nowMs;
  readonly sleep = async (ms: number): Promise<void> => {
    this.nowMs += ms;
    await new Promise((resolve) => setImmediate(resolve));
  };
}

/** Collects what is logged. */
export function newLog(): { readonly log: Logger; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void => void lines.push(JSON.parse(line));
  return { log: pino({ level: 'debug' }, { write }), lines };
}

export const textOf = (bytes: Uint8Array | undefined): string =>
  Buffer.from(bytes ?? []).toString();
export const numbered = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, nth) => `${prefix}${String(nth).padStart(5, '0')}`);
