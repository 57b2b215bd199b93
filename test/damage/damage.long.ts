/** Random damage to the files of a store, a thousand rounds for each kind of file. */
import { describe, it } from 'node:test';
import { withstandsDamage } from './damaged-rounds.ts';
import { FILE_KINDS } from './damaging.ts';

describe('a store serves no wrong byte, does not hang, and is never silently empty', () => {
  for (const kind of FILE_KINDS) {
    it(`when a ${kind} is damaged`, async (t) => {
      await withstandsDamage(t, 1000, kind);
    });
  }
});
