/** The job of the Python original: FastAPI and plyvel, as fastapi_server.py does it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PICKLE } from '../load-plan.ts';
import { MeasuredServer } from '../measured-server.ts';
import { portFor, ServerChild } from '../server-child.ts';
import { SERVERS } from '../workloads.ts';
import type { Peer, PeerSetup } from './peer.ts';

const SERVER = fileURLToPath(new URL('./fastapi_server.py', import.meta.url));
const MODULES = ['fastapi', 'uvicorn', 'plyvel', 'httptools', 'uvloop'];
const INSTALL =
  'python3 -m venv DIRECTORY && DIRECTORY/bin/pip install -r bench/peers/requirements.txt, ' +
  'then BIGCACHE_BENCH_PYTHON=DIRECTORY/bin/python';

function python(): string {
  return process.env['BIGCACHE_BENCH_PYTHON'] ?? 'python3';
}

/** The Python modules that are not there, all of them where there is no Python. */
function missingModules(): string[] {
  const code =
    'import importlib.util, sys; print(*(m for m in sys.argv[1:] if not importlib.util.find_spec(m)))';
  const { status, stdout } = spawnSync(python(), ['-c', code, ...MODULES], { encoding: 'utf8' });
  return status === 0 ? stdout.trim().split(' ').filter(Boolean) : MODULES;
}

async function start(
  name: string,
  how: 'tuned' | 'plain',
  { port: wanted, directory }: PeerSetup,
): Promise<MeasuredServer> {
  const port = await portFor(wanted);
  const args = [SERVER, String(port), join(directory, 'leveldb'), how];
  // Plain uvicorn says there what is no error, too.
  const errors = how === 'tuned' ? 'inherit' : 'ignore';
  const child = new ServerChild(python(), args, 'SIGKILL', errors);
  await child.accepts(port);
  return new MeasuredServer({
    name,
    children: [child],
    port,
    workerPids: [child.pid],
    otherPids: [],
    target: PICKLE,
    isStore: true,
    dropBodies: () => undefined,
  });
}

function variant(name: string, how: 'tuned' | 'plain'): Peer {
  return {
    name,
    missing() {
      const modules = missingModules();
      return modules.length === 0 ? [] : [`${modules.join(', ')} for ${python()}: ${INSTALL}`];
    },
    start: async (setup) => await start(name, how, setup),
  };
}

export const FASTAPI = variant(SERVERS.fastapi, 'tuned');
/** What who installs it gets. */
export const PLAIN_FASTAPI = variant(SERVERS.plainFastapi, 'plain');
