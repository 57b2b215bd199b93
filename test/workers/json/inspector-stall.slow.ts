/** What the inspection of a very large body costs the other requests of its worker. */
import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inspector } from '../../../src/workers/json/inspector.ts';

const inspector = new Inspector();
after(() => inspector.close());

test('a million tiny keys do not hold up the loop for 100 ms', async (t) => {
  const members = Array.from({ length: 1_000_000 }, (_, index) => `"k${index}":1`).join(',');
  const body = Buffer.from(`{"value":{${members}}}`);
  const bytes = body.length;
  await sleep(50);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const { inspection } = await inspector.inspect(body);
  delay.disable();
  const stallMs = delay.max / 1e6;
  t.diagnostic(`${bytes} bytes inspected, longest stall ${stallMs.toFixed(1)} ms`);
  assert.equal(inspection.valueEnd, members.length + 11);
  assert.ok(stallMs < 100, `the loop stood still for ${stallMs} ms`);
});
