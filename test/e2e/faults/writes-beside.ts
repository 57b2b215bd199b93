/** Small entries that one client stores beside a fault, one after the other; each has its path as its body. */
import assert from 'node:assert/strict';

const ALONE = { connection: 'close' };

export class WritesBeside {
  readonly #url: string;
  readonly #kept: string[] = [];
  readonly #running: Promise<void>;
  #isStopped = false;

  /** Begins at once. */
  constructor(url: string) {
    this.#url = url;
    this.#running = this.#run();
    // It is told by `stop`.
    this.#running.catch(() => undefined);
  }

  /** Entries that were acknowledged. */
  get acknowledged(): number {
    return this.#kept.length;
  }

  /** Ends them. Rejects where one was answered otherwise than with 200. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  /** Those acknowledged that are not there, as a server at `url` has it. */
  async lost(url = this.#url): Promise<string[]> {
    const lost: string[] = [];
    for (const path of this.#kept) {
      const answer = await fetch(url + path, { headers: ALONE });
      if ((await answer.text()) !== path) lost.push(path);
    }
    return lost;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const path = `/pickle/beside/${this.#kept.length}`;
      const asked = { method: 'POST', body: path, headers: ALONE };
      const answer = await fetch(this.#url + path, asked);
      assert.equal(answer.status, 200, await answer.text());
      this.#kept.push(path);
    }
  }
}
