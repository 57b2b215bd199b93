/** What the benchmark must know of a server to measure it: each has a file of its own beside this one. */
import type { MeasuredServer } from '../measured-server.ts';
import type { Page } from '../pages.ts';

export interface PeerSetup {
  readonly workers: number;
  /** 0: a free one. */
  readonly port: number;
  /** Of each entry; of `pages`, where there are some, it is the mean. */
  readonly bodyBytes: number;
  readonly pages: readonly Page[];
  /** Empty, and the server's own. */
  readonly directory: string;
  readonly profileDirectory: string | undefined;
}

export interface Peer {
  readonly name: string;
  /** What it needs and this machine lacks, with the command that installs it; empty where nothing is. */
  missing(): string[];
  /** A server that is no store has all entries when this resolves. */
  start(setup: PeerSetup): Promise<MeasuredServer>;
}
