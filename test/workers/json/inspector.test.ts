import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { Inspector } from '../../../src/workers/json/inspector.ts';
import { turnsDuring } from '../../loop-turns.ts';

const inspector = new Inspector();
after(() => inspector.close());

test('a small body is inspected at once, a large one in a thread, with the same outcome', async () => {
  for (const length of [10, 300_000]) {
    const value = `["${'x'.repeat(length)}", "é", 1.0]`;
    const pending = inspector.inspect(Buffer.from(`{"x":1,"value":${value},"expire":5}`));
    assert.equal(pending instanceof Promise, length > 256 * 1024);
    const { body, inspection } = await pending;
    assert.equal(body.toString('utf8', inspection.valueStart, inspection.valueEnd), value);
    assert.equal(inspection.expire, 5);
  }
});

test('a large body is refused with the same code and sentence as a small one', async () => {
  for (const length of [10, 300_000]) {
    const body = Buffer.from(`{"value":"${'x'.repeat(length)}","duration":"1w"}`);
    await assert.rejects(
      async () => inspector.inspect(body),
      (error) => error instanceof BigCacheError && error.code === 'DURATION_INVALID',
    );
  }
});

test('the loop turns on while a large body is inspected', async () => {
  const members = Array.from({ length: 200_000 }, (_, index) => `"k${index}":1`).join(',');
  const body = Buffer.from(`{"value":{${members}}}`);
  const { result, turns } = await turnsDuring(() => inspector.inspect(body));
  const { inspection } = result;
  assert.equal(inspection.valueEnd, members.length + 11);
  assert.ok(turns > 10, `the loop turned ${turns} times`);
});
