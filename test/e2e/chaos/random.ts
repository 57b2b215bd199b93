/**
 * Random numbers that can be had again: a test prints its seed and takes it from BIGCACHE_TEST_SEED.
 */

export function testSeed(): number {
  const given = Number(process.env['BIGCACHE_TEST_SEED']);
  return Number.isInteger(given) && given > 0 ? given : (Date.now() % 1_000_000_007) + 1;
}

/** Mulberry32: numbers in [0, 1), the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
