/** The load process: holds the client connections, and runs what the benchmark tells it to. */
import { LoadConnection } from './load-connection.ts';
import type { LoadAnswer, LoadCommand } from './load-plan.ts';
import { LoadRun } from './load-run.ts';

const connections = new Set<LoadConnection>();
let running: LoadRun | undefined;

async function open(port: number, count: number): Promise<void> {
  const opened: Promise<void>[] = [];
  for (let nth = 0; nth < count; nth++) {
    const connection = new LoadConnection(port, {
      onResponse: (from, status) => running?.onResponse(from, status),
      onFailure: (from, reason) => {
        connections.delete(from);
        running?.onFailure(from, reason);
      },
    });
    connections.add(connection);
    opened.push(connection.opened);
  }
  await Promise.all(opened);
}

function close(localPorts: ReadonlySet<number>): void {
  for (const connection of connections) {
    if (!localPorts.has(connection.localPort)) continue;
    connections.delete(connection);
    connection.close();
  }
}

async function execute(command: LoadCommand): Promise<LoadAnswer> {
  if (command.do === 'open') await open(command.port, command.connections);
  else if (command.do === 'close') close(new Set(command.localPorts));
  else {
    running = new LoadRun(command.plan);
    const result = await running.start(connections);
    running = undefined;
    return { kind: 'result', result };
  }
  return { kind: 'done' };
}

process.on('message', (command: LoadCommand) => {
  execute(command)
    .catch((error: unknown): LoadAnswer => ({ kind: 'failed', reason: String(error) }))
    .then((answer) => process.send?.(answer))
    .catch(() => process.exit(1));
});
process.on('disconnect', () => process.exit(0));
