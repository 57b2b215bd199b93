/**
 * The primary's end of one job that copies: answers its news in order.
 */
import type { MessagePort } from 'node:worker_threads';
import type { CopyAnswer, CopyNews } from '../../jobs/copy-messages.ts';

export class CopyRun {
  copiedBytes = 0;
  evicted = 0;
  /** Whether it was ended since there was no room for its copies. */
  lacksRoom = false;
  /** The segments that were copied into. */
  readonly targets: number[] = [];
  readonly #port: MessagePort;
  #settling: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(port: MessagePort, settle: (news: CopyNews) => Promise<CopyAnswer>) {
    this.#port = port;
    port.on('message', (news: CopyNews) => {
      this.#settling = settle(news).then(
        (answer) => port.postMessage(answer),
        (error: unknown) => {
          this.#failure = error;
          port.postMessage({ stop: true } satisfies CopyAnswer);
        },
      );
    });
  }

  /** Throws what settling a batch has thrown. */
  async end(): Promise<void> {
    await this.#settling;
    this.#port.close();
    if (this.#failure !== undefined) throw this.#failure;
  }
}
