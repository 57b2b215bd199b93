/** How much work is done at once: what is beyond that waits in line. Any process runs it. */
export class Gate {
  readonly #workMax: number;
  readonly #line: (() => void)[] = [];
  #working = 0;

  constructor(workMax: number) {
    this.#workMax = workMax;
  }

  /** Does `work` in its turn. Who waits is bounded by the caller, who holds the bytes in question. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#working < this.#workMax) this.#working += 1;
    // The place of the one that ends passes to the first in line.
    else await new Promise<void>((resolve) => this.#line.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#line.shift();
      if (next === undefined) this.#working -= 1;
      else next();
    }
  }
}
