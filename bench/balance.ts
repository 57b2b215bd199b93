/**
 * Connections in equal shares over the workers. A listening handle that workers share spreads badly,
 * so what one holds too much of is closed and opened again until all hold their share.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadGenerator } from './load-generator.ts';

/** Above this multiple of the mean the largest share makes a round lopsided. */
const LOPSIDED_ABOVE = 1.5;
const ATTEMPTS_MAX = 40;
const ACCEPT_POLL_MS = 5;
const ACCEPT_MAX_MS = 1000;

/** Who holds the connections to a port, or those of them that matter. */
interface Connected {
  readonly port: number;
  /** The client ports of the connections that each worker holds. */
  connectionsByWorker(): ReadonlySet<number>[];
}

/** `server` as it looks without the connections that it holds now. */
export function besidePresent(server: Connected): Connected {
  const present = new Set(server.connectionsByWorker().flatMap((held) => [...held]));
  return {
    port: server.port,
    connectionsByWorker: () =>
      server
        .connectionsByWorker()
        .map((held) => new Set([...held].filter((port) => !present.has(port)))),
  };
}

/** How many of `connections` each of `workers` is to hold. */
export function equalShares(connections: number, workers: number): number[] {
  const rest = connections % workers;
  return Array.from(
    { length: workers },
    (_, nth) => Math.floor(connections / workers) + +(nth < rest),
  );
}

export function isLopsided(shares: readonly number[]): boolean {
  const sum = shares.reduce((total, share) => total + share, 0);
  // A single connection cannot be shared.
  return Math.max(...shares) > LOPSIDED_ABOVE * Math.max(sum / shares.length, 1);
}

/** Whose connections are too many, by client port, and how many there are too few. */
export function surplusOf(
  held: readonly ReadonlySet<number>[],
  wanted: readonly number[],
): { readonly ports: number[]; readonly missing: number } {
  const ports = held.flatMap((of, nth) => [...of].slice(wanted[nth] ?? 0));
  const missing = held.reduce((sum, of, nth) => sum + Math.max((wanted[nth] ?? 0) - of.size, 0), 0);
  return { ports, missing };
}

/** Waits until `count` connections are accepted, or no longer. */
async function accepted(server: Connected, count: number): Promise<ReadonlySet<number>[]> {
  const giveUpAtMs = performance.now() + ACCEPT_MAX_MS;
  for (;;) {
    const held = server.connectionsByWorker();
    const sum = held.reduce((total, of) => total + of.size, 0);
    if (sum === count || performance.now() >= giveUpAtMs) return held;
    await sleep(ACCEPT_POLL_MS);
  }
}

/** Opens `connections` to the server; resolves with the number that each worker holds. */
export async function openBalanced(
  load: LoadGenerator,
  server: Connected,
  connections: number,
): Promise<number[]> {
  const held = server.connectionsByWorker();
  const wanted = equalShares(connections, held.length);
  await load.open(server.port, connections);
  let holding = await accepted(server, connections);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const { ports, missing } = surplusOf(holding, wanted);
    if (missing === 0 && ports.length === 0) break;
    const isLast = attempt === ATTEMPTS_MAX - 1;
    // Opened before the surplus is closed: a worker that has just accepted many is slow to take more.
    const further = isLast ? 0 : missing * wanted.length;
    await load.open(server.port, further);
    const sum = holding.reduce((total, of) => total + of.size, 0);
    holding = await accepted(server, sum + further);
    const surplus = surplusOf(holding, wanted).ports;
    await load.close(surplus);
    holding = await accepted(server, sum + further - surplus.length);
  }
  return holding.map((of) => of.size);
}

/** Closes every connection to the server. */
export async function closeAll(load: LoadGenerator, server: Connected): Promise<void> {
  await load.close(server.connectionsByWorker().flatMap((held) => [...held]));
  await accepted(server, 0);
}
