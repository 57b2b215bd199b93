/** The connections of a worker that are open. */
import type { Server, ServerResponse } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';

/** With the answer that Node has it send just now. */
export type HttpSocket = Socket & { _httpMessage?: ServerResponse | null };

/** The sockets on which requests come, or TLS begins, from now on. */
export function openSockets(server: Server): ReadonlySet<HttpSocket> {
  const sockets = new Set<HttpSocket>();
  // One function for all of them: each connection would pay for a closure of its own.
  function forget(this: Socket): void {
    sockets.delete(this);
  }
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', forget);
  };
  if (server instanceof HttpsServer) trackHandshakes(server, sockets, track);
  server.on('connection', track);
  return sockets;
}

const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

/** Has the socket that TLS is spoken on take the place of the bare one, which no request comes on. */
function trackHandshakes(
  server: HttpsServer,
  sockets: Set<HttpSocket>,
  track: (socket: Socket) => void,
): void {
  const bareByPeer = new Map<string, Socket>();
  server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket);
    bareByPeer.set(peer, socket);
    socket.once('close', () => {
      if (bareByPeer.get(peer) === socket) bareByPeer.delete(peer);
    });
  });
  server.on('secureConnection', (socket) => {
    track(socket);
    const bare = bareByPeer.get(peerOf(socket));
    if (bare !== undefined) sockets.delete(bare);
  });
}
