/**
 * The end of accepting connections, so late that hardly any waits in the kernel when it comes: what
 * waits there when a listening socket is closed is reset, although it looks accepted to its client.
 */
import type { Server } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Under constant traffic the quiet moment may never come. */
const TURNS_MAX = 50;

/** As Node has it. */
interface ListeningServer extends Server {
  readonly _handle?: { listen(backlog: number): number } | null;
}

/** Has the kernel queue no more connections: whoever comes now tries again a second later. */
function closeQueue(server: ListeningServer): void {
  // See listen(2); it may be called again on a socket that listens.
  server._handle?.listen(0);
}

/** Closes the listening socket at the end of the first turn of the loop that accepted nothing. */
export async function stopAccepting(server: Server): Promise<void> {
  closeQueue(server);
  let hasAccepted = true;
  const note = (): void => {
    hasAccepted = true;
  };
  server.on('connection', note);
  for (let turn = 0; turn < TURNS_MAX && hasAccepted; turn++) {
    hasAccepted = false;
    await nextTurn();
  }
  server.off('connection', note);
  server.close();
}
