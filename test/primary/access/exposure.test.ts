/** What a start warns of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warnOfExposure } from '../../../src/primary/access/exposure.ts';

function warnings(changes: Partial<Parameters<typeof warnOfExposure>[0]>): string[] {
  const said: string[] = [];
  const safe = { host: '127.0.0.1', tokenFilePath: '', tlsCertPath: '', getAdmin: false };
  warnOfExposure({ ...safe, ...changes }, { warn: (text) => void said.push(text) });
  return said;
}

test('GET /clear that anybody may send is warned about', () => {
  assert.match(warnings({ getAdmin: true }).join(), /GET \/clear; --get-admin off/);
  assert.deepEqual(warnings({ getAdmin: true, tokenFilePath: 't' }), []);
  assert.deepEqual(warnings({}), []);
});

test('tokens that cross the network in the clear are warned about', () => {
  const tokens = { tokenFilePath: 't', host: '0.0.0.0' };
  assert.match(warnings(tokens).join(), /in the clear; see --tls-cert/);
  assert.deepEqual(warnings({ ...tokens, tlsCertPath: 'c' }), []);
  assert.deepEqual(warnings({ ...tokens, host: '::1' }), []);
});
