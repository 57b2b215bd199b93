/** The opening of an index for tests that do not ask what was lost. */
import type { StoreDirectory } from '../../../../src/primary/directory/directory.ts';
import { type Index, openIndexChecked } from '../../../../src/primary/store/index/index-files.ts';

export async function openIndex(directory: StoreDirectory): Promise<Index> {
  return (await openIndexChecked(directory)).index;
}
