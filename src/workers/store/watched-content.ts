/**
 * A body that is sent piece by piece, and what becomes of one that turns out damaged after its begin: its
 * answer is cut off, and whoever opened it hears of it, so that no second reader meets the same. Workers
 * run it.
 */
import { SegmentDamage } from '../../segments/faults.ts';
import type { Content } from './store.ts';

/** `content`, whose damage is told once to `onDamage`. A whole one was verified before it was opened. */
export function watched(content: Content, onDamage: () => void): Content {
  return {
    byteLength: content.byteLength,
    whole: content.whole,
    async *chunks() {
      try {
        yield* content.chunks();
      } catch (error) {
        if (error instanceof SegmentDamage) onDamage();
        throw error;
      }
    },
    release: () => content.release(),
  };
}
