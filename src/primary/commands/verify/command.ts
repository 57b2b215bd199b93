/**
 * `bigcache verify`: opens the directory, tells how far it is, reports, and maps the outcome to an
 * exit code.
 */
import { openToVerify } from '../../directory/stopped-store.ts';
import { INTERRUPTED } from '../../exit.ts';
import { DAMAGED } from '../command-spec.ts';
import { whileStopped } from '../failures.ts';
import { Progress, type ProgressOutput, STDERR } from '../progress.ts';
import { isSound, reportJson, reportText } from './report.ts';
import { type VerifyStage, verifyStore } from './verify-run.ts';

export interface VerifyFlags {
  /** Leaves the bodies out. */
  readonly fast: boolean;
  readonly json: boolean;
}

/** Verifies the store in `dbPath`; resolves with the exit code. */
export async function runVerify(
  dbPath: string,
  { fast, json }: VerifyFlags,
  out: (text: string) => void,
  terminal: ProgressOutput = STDERR,
): Promise<number> {
  const advice = 'stop that server, or verify a backup of the store';
  return await whileStopped(
    () => openToVerify(dbPath),
    advice,
    async (directory, interruption) => {
      const stages = new Stages(terminal);
      try {
        const result = await verifyStore({
          directory,
          readsBodies: !fast,
          now: Date.now,
          onProgress: (stage, share, count) => stages.show(stage, share, count),
          shouldStop: () => interruption.requested,
        });
        stages.end();
        out(json ? reportJson(result) : reportText(result));
        if (!result.isComplete) return INTERRUPTED;
        return isSound(result) ? 0 : DAMAGED;
      } finally {
        stages.end();
      }
    },
  );
}

/** The progress of one stage after the other. */
class Stages {
  readonly #terminal: ProgressOutput;
  #stage: VerifyStage | undefined;
  #progress: Progress | undefined;

  constructor(terminal: ProgressOutput) {
    this.#terminal = terminal;
  }

  show(stage: VerifyStage, share: number, count: number): void {
    if (stage !== this.#stage) {
      this.end();
      this.#stage = stage;
      const unit = stage === 'segments' ? 'bytes' : 'entries';
      this.#progress = new Progress(this.#terminal, { label: stage, unit });
    }
    this.#progress?.show(share, count);
  }

  end(): void {
    this.#progress?.end();
    this.#progress = undefined;
    this.#stage = undefined;
  }
}
