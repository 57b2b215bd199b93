/** What open segments may still write: room that the disk does not know to be taken. */
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EntryStore } from '../../../src/primary/store/entry-store.ts';
import { Kind } from '../../../src/protocol/record.ts';
import { segmentFileName } from '../../../src/segments/format.ts';
import { type SegmentGrants, SegmentLog } from '../../../src/segments/segment-log.ts';
import { BARE_META } from '../../segments/segment-setup.ts';
import { openedIndex } from './store-setup.ts';

const MiB = 1024 * 1024;
const WRITER = 1;

describe('the bytes that a streamed body may still write', () => {
  it('are what was granted and is not in the file yet, however long the body is', async (t) => {
    const { directory, index } = await openedIndex(t);
    const store = await EntryStore.load(index);
    const fileBytes = async (id: number): Promise<number> =>
      (await stat(join(directory.segmentsPath, segmentFileName(id)))).size;
    let extensions = 0;
    const grants: SegmentGrants = {
      grant: (bytes) => store.grantSegment(WRITER, bytes),
      extend: async (id, bytes) => {
        await store.extendSegment(WRITER, id, bytes);
        assert.equal(store.unwrittenBytes, bytes - (await fileBytes(id)));
        extensions += 1;
      },
      seal: () => undefined,
    };
    const log = new SegmentLog({
      directory: directory.segmentsPath,
      segmentBytes: 8 * MiB,
      writer: WRITER,
      grants,
      now: () => 1,
    });
    async function* body(): AsyncGenerator<Buffer> {
      for (let sent = 0; sent < 30; sent++) yield Buffer.alloc(MiB, sent);
    }
    const describe = (plainBytes: number) => ({ ...BARE_META, plainBytes });
    const placed = await log.appendStream(Buffer.from('long'), Kind.raw, body(), describe);
    assert.ok(extensions >= 6, `${extensions} extensions`);
    placed.settle(true);
    await log.sealAll();
  });
});
