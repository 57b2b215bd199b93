/**
 * Random numbers that can be had again: a test prints its seed and takes it from BIGCACHE_TEST_SEED.
 */
export { randomFrom } from '../../../bench/eviction/random.ts';

export function testSeed(): number {
  const given = Number(process.env['BIGCACHE_TEST_SEED']);
  return Number.isInteger(given) && given > 0 ? given : (Date.now() % 1_000_000_007) + 1;
}
