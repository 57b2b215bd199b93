/** The yardstick, fastify with nothing behind it; what it answers is in bare-server.ts. */
import { fileURLToPath } from 'node:url';
import { PICKLE } from '../load-plan.ts';
import { MeasuredServer } from '../measured-server.ts';
import { writePages } from '../pages.ts';
import { childrenOf } from '../process-figures.ts';
import { ServerChild } from '../server-child.ts';
import { SERVERS } from '../workloads.ts';
import type { Peer } from './peer.ts';

const BARE_SERVER = fileURLToPath(new URL('./bare-server.ts', import.meta.url));

export const BARE: Peer = {
  name: SERVERS.bare,
  missing: () => [],
  async start({ workers, port, bodyBytes, pages, directory }) {
    writePages(pages, directory);
    const args = [port, workers, bodyBytes, directory].map(String);
    const child = new ServerChild(process.execPath, ['--import', 'tsx', BARE_SERVER, ...args]);
    const url = await child.says(/"url":"([^"]+)"/);
    const workerPids = childrenOf(child.pid, process.execPath);
    if (workerPids.length !== workers) {
      throw new Error(`bare has ${workerPids.length} workers, not ${workers}`);
    }
    return new MeasuredServer({
      name: SERVERS.bare,
      children: [child],
      port: Number(new URL(url).port),
      workerPids,
      otherPids: [child.pid],
      target: PICKLE,
      isStore: false,
      dropBodies: () => undefined,
    });
  },
};
