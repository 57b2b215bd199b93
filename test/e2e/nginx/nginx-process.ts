/**
 * nginx as a child process of a test, with the configuration of examples/nginx.conf: its addresses are
 * replaced by free ports of loopback, and all that it writes lies in a directory of the test.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isAccepting, portFor } from '../../../bench/server-child.ts';
import { eventually } from '../../eventually.ts';
import { hasProgram } from '../server-process.ts';

const EXAMPLE = new URL('../../../examples/nginx.conf', import.meta.url);

/** One process, so that nothing is left when it is killed. */
const AROUND = `
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off;
  client_body_temp_path temporary/body;
  proxy_temp_path temporary/proxy;
  fastcgi_temp_path temporary/fastcgi;
  uwsgi_temp_path temporary/uwsgi;
  scgi_temp_path temporary/scgi;
  include example.conf;
}
`;

interface Cleanable {
  after(cleanUp: () => Promise<void>): void;
}

export interface NginxOptions {
  readonly cachePort: number;
  readonly applicationPort: number;
  /** With which it reads from the cache. */
  readonly token?: string;
}

export class NginxProcess {
  readonly port: number;
  readonly #directory: string;
  #child: ChildProcess | undefined;
  #stderr = '';

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.port = port;
  }

  /** Starts nginx in an empty directory; resolves when it accepts connections. */
  static async start(
    test: Cleanable,
    directory: string,
    options: NginxOptions,
  ): Promise<NginxProcess> {
    assert.ok(hasProgram('nginx'), 'nginx is installed; see scripts/ci-slow.sh');
    const nginx = new NginxProcess(directory, await portFor(0));
    await nginx.#configure(options);
    test.after(() => nginx.end());
    await nginx.#run();
    return nginx;
  }

  /** What `nginx -t` says; throws where it finds fault. */
  checkConfiguration(): void {
    execFileSync('nginx', [...this.#args, '-t'], { stdio: 'pipe' });
  }

  async end(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  get #args(): string[] {
    return ['-p', this.#directory, '-c', join(this.#directory, 'nginx.conf'), '-e', 'stderr'];
  }

  async #configure({ cachePort, applicationPort, token }: NginxOptions): Promise<void> {
    const { port } = this;
    const example = [
      ['listen 80;', `listen 127.0.0.1:${port};`],
      ['listen 80 default_server;', `listen 127.0.0.1:${port} default_server;`],
      ['server 127.0.0.1:36379;', `server 127.0.0.1:${cachePort};`],
      ['server 127.0.0.1:8000;', `server 127.0.0.1:${applicationPort};`],
    ].reduce(
      (text, [from, to]) => replacedOnce(text, from ?? '', to ?? ''),
      readFileSync(EXAMPLE, 'utf8'),
    );
    const included =
      token === undefined ? '' : `proxy_set_header Authorization "Bearer ${token}";\n`;
    await mkdir(join(this.#directory, 'temporary'));
    await writeFile(join(this.#directory, 'nginx.conf'), AROUND);
    await writeFile(join(this.#directory, 'example.conf'), example);
    await writeFile(join(this.#directory, 'bigcache-token.conf'), included, { mode: 0o600 });
  }

  async #run(): Promise<void> {
    const child = spawn('nginx', this.#args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    await eventually(async () => child.exitCode !== null || (await isAccepting(this.port)), 10_000);
    assert.equal(child.exitCode, null, `nginx runs: ${this.#stderr}`);
  }
}

function replacedOnce(text: string, from: string, to: string): string {
  assert.equal(text.split(from).length, 2, `the example has "${from}" once`);
  return text.replace(from, to);
}
