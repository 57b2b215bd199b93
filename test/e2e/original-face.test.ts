import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../temporary-directory.ts';
import { Conformance } from '../workers/openapi/conformance.ts';
import type { ApiDocument } from '../workers/openapi/document.ts';
import { replayOriginal, sendTo } from '../workers/original-exchanges.ts';
import { ServerProcess } from './server-process.ts';

describe("the built server's face of the original", () => {
  it('answers the recorded exchanges as the original did, or better, whichever worker is asked', async (t) => {
    const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '4');
    const served = await fetch(`${server.url}/openapi.json`);
    const conformance = new Conformance((await served.json()) as ApiDocument);
    const faults: string[] = [];
    const send = sendTo(server.url, (answer) => faults.push(...conformance.faultsOf(answer)));
    await replayOriginal(send);
    assert.deepEqual(faults, [], 'every answer is as the OpenAPI document says');
    assert.equal(await server.stop(), 0);
  });

  it('serves its documentation from itself alone', async (t) => {
    const server = await ServerProcess.start(t, await temporaryDirectory(t), '--workers', '1');
    const page = await fetch(`${server.url}/docs`);
    const html = await page.text();
    assert.equal(page.status, 200);
    assert.doesNotMatch(html, /(?:src|href)="(?:https?:)?\/\//);
    const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path ?? '');
    assert.ok(assets.length >= 3);
    for (const path of assets) {
      assert.equal((await fetch(new URL(path, page.url))).status, 200, path);
    }
    const { openapi } = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      openapi: string;
    };
    assert.equal(openapi, '3.1.0');
    assert.equal(await server.stop(), 0);
  });
});
