/** A server under measurement, with all of its processes: what they hold and what they used. */
import { setTimeout as sleep } from 'node:timers/promises';
import { clientPortsOf } from '../test/e2e/chaos/connections.ts';
import type { RequestTarget } from './load-plan.ts';
import { figuresOf, type ProcessFigures } from './process-figures.ts';
import type { ServerChild } from './server-child.ts';

const SETTLE_EVERY_MS = 250;
const SETTLE_MAX_MS = 15_000;

/** Sums over all processes; memory by process, in the order of `ServerParts.pids`. */
interface ServerFigures extends Omit<ProcessFigures, 'anonymousBytes'> {
  readonly anonymousBytes: readonly number[];
}

interface ServerParts {
  readonly name: string;
  /** Ended in this order. */
  readonly children: readonly ServerChild[];
  readonly port: number;
  /** The processes that hold the clients' connections. */
  readonly workerPids: readonly number[];
  /** Those that work for it besides. */
  readonly otherPids: readonly number[];
  readonly target: RequestTarget;
  /** It keeps what it is sent, on disk: entries come there by requests. */
  readonly isStore: boolean;
  /** Has the kernel forget the bodies that it holds for the server in memory. */
  readonly dropBodies: () => void;
}

export class MeasuredServer {
  readonly name: string;
  readonly port: number;
  readonly target: RequestTarget;
  readonly isStore: boolean;
  readonly dropBodies: () => void;
  readonly #children: readonly ServerChild[];
  readonly #workerPids: readonly number[];
  readonly #pids: readonly number[];

  constructor(parts: ServerParts) {
    this.name = parts.name;
    this.port = parts.port;
    this.target = parts.target;
    this.isStore = parts.isStore;
    this.dropBodies = parts.dropBodies;
    this.#children = parts.children;
    this.#workerPids = parts.workerPids;
    this.#pids = [...parts.otherPids, ...parts.workerPids];
  }

  /** The client ports of the connections that each worker holds. */
  connectionsByWorker(): Set<number>[] {
    return this.#workerPids.map((pid) => {
      const ports = clientPortsOf(pid, this.port);
      // The listening socket has no client.
      ports.delete(0);
      return ports;
    });
  }

  figures(): ServerFigures {
    const all = this.#pids.map(figuresOf);
    const sum = (of: (one: ProcessFigures) => number): number =>
      all.reduce((total, one) => total + of(one), 0);
    return {
      cpuUs: sum((one) => one.cpuUs),
      writtenBytes: sum((one) => one.writtenBytes),
      readBytes: sum((one) => one.readBytes),
      anonymousBytes: all.map((one) => one.anonymousBytes),
    };
  }

  /** The figures once nothing was written for `quietMs`, or compactions take too long. */
  async settledFigures(quietMs: number): Promise<ServerFigures> {
    if (!this.isStore) return this.figures();
    const giveUpAtMs = performance.now() + SETTLE_MAX_MS;
    let figures = this.figures();
    let changedAtMs = performance.now();
    while (performance.now() < Math.min(changedAtMs + quietMs, giveUpAtMs)) {
      await sleep(Math.min(SETTLE_EVERY_MS, quietMs));
      const next = this.figures();
      if (next.writtenBytes !== figures.writtenBytes) changedAtMs = performance.now();
      figures = next;
    }
    return figures;
  }

  async stop(): Promise<void> {
    for (const child of this.#children) await child.stop();
  }
}
