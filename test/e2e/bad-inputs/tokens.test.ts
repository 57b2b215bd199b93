/** Rows 21 and 101 to 104: requests to a server that asks for tokens. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from '../../raw-http.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { TOKENS } from '../../workers/access/table-tokens.ts';
import { row } from './row.ts';
import { assertRefusal, SharedServer } from './shared-server.ts';

const server = SharedServer.withArguments(async () => {
  const directory = await temporaryDirectory({ after: () => undefined });
  const path = join(directory, 'tokens.json');
  await writeFile(path, JSON.stringify(TOKENS), { mode: 0o600 });
  return ['--workers', '1', '--token-file', path];
});

const bearing = (secret: string) => `Authorization: Bearer ${secret}`;
const ALL = bearing('all-secret');

row('21', async () => {
  await server.ask('POST /cache/a', [ALL], '{"value":1}');
  for (const line of ['GET http://evil/cache/a', 'GET http://localhost/cache/a']) {
    await server.refuses(request(line, [ALL]), 400, 'TARGET_INVALID');
    await server.refuses(request(line), 400, 'TARGET_INVALID');
  }
  await server.refuses(request('POST http://evil/clear'), 400, 'TARGET_INVALID');
  assert.equal((await server.ask('GET /cache/a', [ALL])).status, 200);
});

row('101', async () => {
  for (const line of [
    'GET /cache/a',
    'DELETE /cache/a',
    'POST /clear',
    'GET /stat',
    'GET /metrics',
  ]) {
    for (const [headers, code] of [
      [[], 'TOKEN_REQUIRED'],
      [[bearing('wrong')], 'TOKEN_REFUSED'],
    ] as const) {
      const answer = await server.refuses(request(line, headers), 401, code);
      assert.match(answer.headers.get('www-authenticate') ?? '', /^(?:Bearer|Basic) realm=/);
    }
  }
});

row('102', async () => {
  const headers = [bearing('read-secret')];
  for (const line of [
    'POST /pickle/a',
    'PUT /v1/entries/a',
    'DELETE /cache/a',
    'DELETE /prefix/a',
  ]) {
    await server.refuses(request(line, headers), 403, 'SCOPE_REFUSED');
  }
  assert.equal((await server.ask('GET /cache/a', headers)).status, 200);
});

row('103', async () => {
  for (const headers of [
    [ALL, bearing('wrong')],
    [bearing('wrong'), ALL],
    [ALL, ALL.toUpperCase()],
  ]) {
    await server.refuses(request('GET /cache/a', headers), 400, 'REQUEST_INVALID');
  }
});

row('104', async () => {
  const long = await server.ask('GET /cache/a', [bearing('x'.repeat(10_240))]);
  assertRefusal(long, 401, 'TOKEN_REFUSED');
});
