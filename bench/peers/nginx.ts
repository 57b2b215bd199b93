/** nginx, which serves the bodies as files: what sendfile and an open_file_cache can do at best. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PICKLE } from '../load-plan.ts';
import { MeasuredServer } from '../measured-server.ts';
import { writePages } from '../pages.ts';
import { childrenOf } from '../process-figures.ts';
import { portFor, ServerChild } from '../server-child.ts';
import { SERVERS } from '../workloads.ts';
import { hotBodies } from './hot-bodies.ts';
import type { Peer, PeerSetup } from './peer.ts';
import { installedProgram, missingPrograms } from './programs.ts';

const CONNECTIONS_MAX = 16_384;
const FILES_MAX = 10_000;
const KEPT_REQUESTS_MAX = 2_000_000_000;

function configuration(workers: number, port: number): string {
  return `
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes ${workers};
pid nginx.pid;
error_log stderr warn;
events { worker_connections ${CONNECTIONS_MAX}; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_timeout 1h;
  keepalive_requests ${KEPT_REQUESTS_MAX};
  open_file_cache max=${FILES_MAX} inactive=1h;
  open_file_cache_valid 1h;
  open_file_cache_min_uses 1;
  gzip_static on;
  gzip_vary on;
  types { text/html html; }
  default_type application/octet-stream;
  client_body_temp_path temporary/body;
  proxy_temp_path temporary/proxy;
  fastcgi_temp_path temporary/fastcgi;
  uwsgi_temp_path temporary/uwsgi;
  scgi_temp_path temporary/scgi;
  server {
    listen 127.0.0.1:${port};
    root files;
  }
}
`;
}

function writeFiles({ directory, bodyBytes, pages }: PeerSetup): void {
  const files = join(directory, 'files');
  const hot = join(files, PICKLE.before);
  mkdirSync(hot, { recursive: true });
  mkdirSync(join(directory, 'temporary'));
  if (pages.length > 0) writePages(pages, files);
  else for (const [key, body] of hotBodies(bodyBytes)) writeFileSync(join(hot, key), body);
}

export const NGINX: Peer = {
  name: SERVERS.nginx,
  missing: () => missingPrograms({ nginx: 'nginx-light' }),
  async start(setup) {
    const { workers, directory } = setup;
    const port = await portFor(setup.port);
    writeFiles(setup);
    const file = join(directory, 'nginx.conf');
    writeFileSync(file, configuration(workers, port));
    const args = ['-p', directory, '-c', file, '-e', 'stderr'];
    // Its workers outlive a master that is killed.
    const child = new ServerChild(installedProgram('nginx'), args, 'SIGTERM');
    const workerPids = (): number[] => childrenOf(child.pid, 'nginx: worker');
    await child.accepts(port);
    await child.until(() => workerPids().length === workers, `it has not ${workers} workers`);
    return new MeasuredServer({
      name: SERVERS.nginx,
      children: [child],
      port,
      workerPids: workerPids(),
      otherPids: [child.pid],
      target: PICKLE,
      isStore: false,
      dropBodies: () => undefined,
    });
  },
};
