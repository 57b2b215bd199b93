/**
 * What was written to one key and read of it, each with its begin and its end, judged for
 * linearizability. One client writes the key, one version after the other, so the order of the writes is
 * known; any number of clients read.
 */

/** What a version left: a value, or nothing. */
export type Left = 'value' | 'nothing';

interface Write {
  readonly version: number;
  readonly left: Left;
  readonly beginMs: number;
  /** Infinity where it was never acknowledged: it may take effect at any time, or never. */
  endMs: number;
}

export interface Read {
  /** The version whose value was read; undefined where nothing was there. */
  readonly version: number | undefined;
  readonly beginMs: number;
  readonly endMs: number;
}

export class KeyHistory {
  readonly key: string;
  readonly #writes: Write[] = [{ version: 0, left: 'nothing', beginMs: -1, endMs: -1 }];
  readonly #reads: Read[] = [];

  constructor(key: string) {
    this.key = key;
  }

  /** Begins the next write; call what it answers when the write is acknowledged. */
  begin(left: Left, beginMs: number): { version: number; acknowledged(endMs: number): void } {
    const write = { version: this.#writes.length, left, beginMs, endMs: Number.POSITIVE_INFINITY };
    this.#writes.push(write);
    return {
      version: write.version,
      acknowledged: (endMs) => {
        write.endMs = endMs;
      },
    };
  }

  read(read: Read): void {
    this.#reads.push(read);
  }

  get reads(): number {
    return this.#reads.length;
  }

  get acknowledged(): number {
    return this.#writes.filter(({ endMs }) => Number.isFinite(endMs)).length - 1;
  }

  /**
   * What no order of these operations explains, one line each. A read is placed as early as it can be: at
   * the lowest version that is possible for it.
   */
  violations(): string[] {
    const found: string[] = [];
    const byBegin = [...this.#reads].sort((one, other) => one.beginMs - other.beginMs);
    /** Reads that had not ended when the last one began. */
    let open: { endMs: number; version: number }[] = [];
    let shown = 0;
    for (const read of byBegin) {
      for (const { endMs, version } of open) {
        if (endMs < read.beginMs) shown = Math.max(shown, version);
      }
      open = open.filter(({ endMs }) => endMs >= read.beginMs);
      const lowest = Math.max(shown, this.#acknowledgedBefore(read.beginMs));
      const version = this.#lowestPossible(read, lowest);
      if (version === undefined) found.push(this.#tell(read, lowest));
      else open.push({ endMs: read.endMs, version });
    }
    return found;
  }

  #acknowledgedBefore(timeMs: number): number {
    let version = 0;
    for (const write of this.#writes) if (write.endMs < timeMs) version = write.version;
    return version;
  }

  /** The lowest version from `lowest` on, begun before the read ended, that leaves what was read. */
  #lowestPossible(read: Read, lowest: number): number | undefined {
    for (const { version, left, beginMs } of this.#writes.slice(lowest)) {
      if (beginMs > read.endMs) return undefined;
      const isIt = read.version === undefined ? left === 'nothing' : version === read.version;
      if (isIt) return version;
    }
    return undefined;
  }

  #tell({ version, beginMs, endMs }: Read, lowest: number): string {
    return (
      `${this.key}: a read from ${beginMs.toFixed(1)} to ${endMs.toFixed(1)} ms showed ` +
      `${version === undefined ? 'nothing' : `version ${version}`} where ${lowest} was shown or ` +
      'acknowledged before'
    );
  }
}
