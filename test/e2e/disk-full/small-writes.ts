/**
 * Many small entries, which fill the log of the index much faster than the segments: so that LevelDB
 * makes tables while the disk is full. What becomes of them is not looked at.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../chaos/connection.ts';

const LANES = 16;
const BODY = Buffer.from('small');
/** A long key makes a long record. */
const KEY_FILLER = 'x'.repeat(400);

export class SmallWrites {
  acknowledged = 0;
  readonly #baseUrl: () => string;
  #nth = 0;
  #isStopped = false;

  constructor(baseUrl: () => string) {
    this.#baseUrl = baseUrl;
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: LANES }, () => this.#runLane()));
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #runLane(): Promise<void> {
    const connection = new Connection(this.#baseUrl);
    while (!this.#isStopped) {
      this.#nth += 1;
      const answer = await connection.ask(
        'POST',
        `/pickle/small/${this.#nth}${KEY_FILLER}`,
        BODY,
        {},
      );
      if (answer?.status === 200) this.acknowledged += 1;
      else await sleep(10);
    }
    connection.close();
  }
}
