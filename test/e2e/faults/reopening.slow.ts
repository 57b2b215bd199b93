/**
 * A store that is closed and opened again and again, as someone does who copies its files every night:
 * nothing is lost, and what the primary holds does not grow with it. It once grew by 3 MiB each time, since
 * histograms that nobody read came with every opening, and the visited bits with it.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { anonymousBytes, ServerProcess } from '../server-process.ts';

const REOPENINGS = 100;
const MB = 1_000_000;
/** 46 to 66 MB on a quiet machine, and little more after 300 reopenings; it was 300. */
const GROWTH_BYTES_MAX = 110 * MB;

it('a store that is reopened again and again costs its primary no more memory each time', async (t) => {
  const directory = await temporaryDirectory(t);
  const server = await ServerProcess.start(t, directory, '--workers', '1');
  const post = async (path: string): Promise<void> => {
    const answer = await fetch(`${server.url}${path}`, { method: 'POST' });
    assert.equal(answer.status, 200, `${path}: ${await answer.text()}`);
  };
  const entry = (nth: number): string => `${server.url}/v1/entries/page/${nth}`;
  const before = anonymousBytes(server.pid);
  for (let nth = 0; nth < REOPENINGS; nth++) {
    const stored = await fetch(entry(nth), { method: 'PUT', body: `page ${nth}` });
    assert.equal(stored.status, 201, await stored.text());
    await post('/close');
    await post('/open');
  }
  for (let nth = 0; nth < REOPENINGS; nth++) {
    assert.equal(await (await fetch(entry(nth))).text(), `page ${nth}`);
  }
  const grown = anonymousBytes(server.pid) - before;
  t.diagnostic(
    `${REOPENINGS} reopenings: RssAnon of the primary from ${(before / MB).toFixed(0)} MB, ` +
      `${(grown / MB).toFixed(0)} MB more at the end`,
  );
  assert.ok(grown <= GROWTH_BYTES_MAX, `the primary has grown by ${grown} bytes`);
});
