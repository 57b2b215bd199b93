/** What the primary measures of itself and of the server as a whole. */
import { EventLoopWatch } from '../protocol/event-loop.ts';
import {
  newFigures,
  PROCESS_FIGURES,
  type ProcessFigures,
  type ServerFigures,
} from '../protocol/figures.ts';
import { memoryFigures } from '../protocol/process-memory.ts';

export interface WorkerNumbers {
  readonly ready: number;
  readonly wanted: number;
  readonly deaths: number;
}

export class PrimaryFigures {
  readonly #startedAtMs = Date.now();
  readonly #loop = new EventLoopWatch();

  /** The figures of this process, then as many at zero as there are places for workers. */
  places(workers: number): ProcessFigures[] {
    const own = { ...newFigures(PROCESS_FIGURES), ...memoryFigures(), ...this.#loop.figures };
    return [own, ...Array.from({ length: workers }, () => newFigures(PROCESS_FIGURES))];
  }

  server({ ready, wanted, deaths }: WorkerNumbers): ServerFigures {
    const { user, system } = process.cpuUsage();
    return {
      startedAtMs: this.#startedAtMs,
      workersReady: ready,
      workersWanted: wanted,
      workerDeaths: deaths,
      primaryCpuUserUs: user,
      primaryCpuSystemUs: system,
    };
  }
}
