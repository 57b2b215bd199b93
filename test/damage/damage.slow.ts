/** Random damage to the files of a store: never wrong bytes, never a hang, never a silent wipe. */
import { describe, it } from 'node:test';
import { withstandsDamage } from './damaged-rounds.ts';

describe('a store of which one file is damaged', () => {
  it('serves no wrong byte, does not hang, and is never silently empty', async (t) => {
    await withstandsDamage(t, 200);
  });
});
