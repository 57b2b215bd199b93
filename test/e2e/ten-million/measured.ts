/** A store that is read and written in turns with another, and what was measured of it in each turn. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LatencyHistogram } from '../../../bench/latency-histogram.ts';
import { median } from '../../../bench/median.ts';
import { figuresOf } from '../../../bench/process-figures.ts';
import type { ServerProcess } from '../server-process.ts';
import { SteadyLoad } from '../steady-load.ts';
import { bodyOf, type Catalogue } from './catalogue.ts';

const READ_EVERY_MS = 1;
const WRITE_EVERY_MS = 5;
/** Turns are short and many, since what else a machine does comes and goes within seconds. */
const SETTLE_MS = 1000;
const MEASURE_MS = 5000;

/** New entries that one turn stores at most. */
export const NEW_PER_TURN_MAX = Math.ceil((SETTLE_MS + MEASURE_MS + 1000) / WRITE_EVERY_MS);

export type Kind = 'reads' | 'writes';

export class Measured {
  readonly reads: LatencyHistogram[] = [];
  readonly writes: LatencyHistogram[] = [];
  /** Of all processes of the server, for each request of either kind. */
  readonly cpuUsPerRequest: number[] = [];
  readonly #server: ServerProcess;
  readonly #catalogue: Catalogue;
  readonly #random: () => number;

  constructor(server: ServerProcess, catalogue: Catalogue, random: () => number) {
    this.#server = server;
    this.#catalogue = catalogue;
    this.#random = random;
  }

  /** Reads random entries, and stores new ones and old ones in turn. */
  async takeTurn(): Promise<void> {
    const { port } = this.#server;
    const catalogue = this.#catalogue;
    const loaded = catalogue.stored;
    const anyKey = (): string => catalogue.key(Math.floor(this.#random() * loaded));
    const reads = await SteadyLoad.start({
      port,
      connections: 8,
      everyMs: READ_EVERY_MS,
      request: () => ({ method: 'GET', target: `/pickle/${anyKey()}` }),
    });
    const writes = await SteadyLoad.start({
      port,
      connections: 4,
      everyMs: WRITE_EVERY_MS,
      request: (nth) => {
        const key = nth % 2 === 0 ? catalogue.key(catalogue.stored++) : anyKey();
        return { method: 'POST', target: `/pickle/${key}`, body: Buffer.from(bodyOf(key)) };
      },
    });
    await sleep(SETTLE_MS);
    const [ofReads, ofWrites] = [reads.measure(), writes.measure()];
    const cpuUsBefore = this.#cpuUs();
    await sleep(MEASURE_MS);
    const cpuUs = this.#cpuUs() - cpuUsBefore;
    reads.measure();
    writes.measure();
    this.reads.push(ofReads);
    this.writes.push(ofWrites);
    this.cpuUsPerRequest.push(cpuUs / (ofReads.total + ofWrites.total));
    await Promise.all([reads.stop(), writes.stop()]);
  }

  p99Ms(of: Kind): number {
    return median(this[of].map((turn) => turn.percentileUs(0.99))) / 1000;
  }

  /** The 99th percentiles of the turns, in ms. */
  turns(of: Kind): string {
    return this[of].map((turn) => (turn.percentileUs(0.99) / 1000).toFixed(2)).join(', ');
  }

  #cpuUs(): number {
    const pids = [this.#server.pid, ...this.#server.workerPids];
    return pids.reduce((sum, pid) => sum + figuresOf(pid).cpuUs, 0);
  }
}
