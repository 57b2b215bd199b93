/** Where the items of a batch are read, and that it makes no difference to what they are. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { ItemsReader } from '../../../src/workers/exact/items-reader.ts';
import { fromSent } from '../../../src/workers/exact/items-thread.ts';
import { jsonItems } from '../../../src/workers/exact/json.ts';
import { TWICE } from '../../../src/workers/exact/values.ts';
import { turnsDuring } from '../../loop-turns.ts';

const reader = new ItemsReader();
after(() => reader.close());

/** White space behind the items makes a batch long. */
const batch = (items: string, isLong: boolean): Buffer =>
  Buffer.from(`{"items":${items}${isLong ? ' '.repeat(70_000) : ''}}`);

describe('the items of a batch', () => {
  it('are read at once where they are short, else in a thread, and are the same', async () => {
    const items = '[{"a":9223372036854775807,"a":1},{"b":[null,true,1.5,"\\u00e9",{"c":{}}]},7]';
    const short = reader.read(batch(items, false), 9);
    assert.ok(!(short instanceof Promise));
    const long = reader.read(batch(items, true), 9);
    assert.ok(long instanceof Promise);
    assert.deepEqual(await long, short);
    assert.equal((short[0] as Map<string, unknown>).get('a'), TWICE);
  });

  it('are the same whatever they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 9 }), async (values) => {
        const items = JSON.stringify(values);
        let expected: unknown;
        try {
          expected = jsonItems(batch(items, false), 9);
        } catch (error) {
          await assert.rejects(async () => reader.read(batch(items, true), 9), error as Error);
          return;
        }
        assert.deepEqual(await reader.read(batch(items, true), 9), expected);
      }),
      { numRuns: 50 },
    );
  });

  it('are refused in the thread as they are here', async () => {
    for (const isLong of [false, true]) {
      const refused = async (items: string) => await reader.read(batch(items, isLong), 2);
      await assert.rejects(refused('[1,2,3]'), { code: 'BODY_INVALID' });
      await assert.rejects(refused('[1,]'), { code: 'BODY_INVALID' });
      await assert.rejects(refused('{}'), { code: 'BODY_INVALID' });
    }
    assert.equal(fromSent(undefined), TWICE);
  });

  it('let the loop turn while they are long', async () => {
    const body = Buffer.from(`{"items":["${'x\\n'.repeat(2_000_000)}"]}`);
    const { result, turns } = await turnsDuring(() => reader.read(body, 1));
    const [text] = result;
    assert.equal(text, 'x\n'.repeat(2_000_000));
    assert.ok(turns > 10, `the loop turned ${turns} times`);
  });
});
