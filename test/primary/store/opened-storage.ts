/** A storage of its own for a test, opened in a temporary directory and closed with the test. */
import { openDirectory, type StoreDirectory } from '../../../src/primary/directory/directory.ts';
import { Storage, type StorageOptions } from '../../../src/primary/store/storage.ts';
import { DEFAULT_CONFIG } from '../../default-config.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { SILENT } from './store-setup.ts';

export async function openedStorage(
  test: Parameters<typeof temporaryDirectory>[0],
  options: Partial<StorageOptions> = {},
): Promise<{ readonly storage: Storage; readonly directory: StoreDirectory }> {
  const directory = await openDirectory(await temporaryDirectory(test));
  const storage = await Storage.open({
    settings: DEFAULT_CONFIG,
    directory,
    log: SILENT,
    onDrop: () => undefined,
    onRetire: () => undefined,
    sealAll: async () => undefined,
    ...options,
  });
  test.after(async () => {
    await storage.close();
    await directory.release();
  });
  return { storage, directory };
}
