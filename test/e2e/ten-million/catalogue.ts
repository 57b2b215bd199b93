/** A catalogue of short pages that are stored in random order: its keys, their bodies, and how it is stored. */
import assert from 'node:assert/strict';
import { shuffled } from '../../../bench/eviction/random.ts';
import { writePipelined } from '../pipelined-writer.ts';

const PAGES_PER_SECTION = 1000;
const CONNECTIONS = 8;

/** 100 bytes, so that ten million of them fit on any disk. */
export const bodyOf = (key: string): string => `<html>${key}</html>`.padEnd(100, '.');

export class Catalogue {
  /** Keys that have been sent, in their order. */
  stored = 0;
  readonly #order: Int32Array;

  constructor(random: () => number, keys: number) {
    this.#order = shuffled(random, keys);
  }

  key(nth: number): string {
    const page = this.#order[nth];
    assert.ok(page !== undefined, `the catalogue has no key ${nth}`);
    return `catalogue/section-${Math.floor(page / PAGES_PER_SECTION)}/page-${page}`;
  }

  /** Stores what is missing of the first `entries`. */
  async loadTo(entries: number, port: number): Promise<void> {
    const first = this.stored;
    if (first >= entries) return;
    await writePipelined({
      port,
      entries: entries - first,
      connections: CONNECTIONS,
      key: (nth) => this.key(first + nth),
      body: (nth) => bodyOf(this.key(first + nth)),
    });
    this.stored = entries;
  }
}
