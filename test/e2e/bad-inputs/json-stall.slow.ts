/** Row 80: what a very large body costs the other requests of its worker. */
import assert from 'node:assert/strict';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Inspector } from '../../../src/workers/json/inspector.ts';
import { row } from './row.ts';
import { SharedServer } from './shared-server.ts';

const server = SharedServer.withArguments(() => ['--workers', '1']);

const MEMBERS = Array.from({ length: 1_000_000 }, (_, index) => `"k${index}":1`).join(',');
const BODY = Buffer.from(`{"value":{${MEMBERS}}}`);

row('80', async (t) => {
  t.after(() => inspector.close());
  const inspector = new Inspector();
  await sleep(50);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const { inspection } = await inspector.inspect(Buffer.from(BODY));
  delay.disable();
  const stallMs = delay.max / 1e6;
  t.diagnostic(`${BODY.length} bytes inspected, longest stall ${stallMs.toFixed(1)} ms`);
  assert.equal(inspection.valueEnd, MEMBERS.length + 11);
  assert.ok(stallMs < 100, `the loop stood still for ${stallMs} ms`);
  const stored = await server.ask('POST /cache/many', ['Prefer: return=minimal'], BODY);
  assert.equal(stored.status, 204, stored.body.toString().slice(0, 200));
  const read = (await server.ask('GET /cache/many')).body.toString();
  assert.equal(read, `{"key":"many","value":{${MEMBERS}},"expire":null,"duration":null}`);
});
