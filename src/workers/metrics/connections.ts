/**
 * What goes over the connections of this worker: counted by Node for each, so that no request has to; with
 * TLS it is what is inside.
 */
import type { Server } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';

export class Connections {
  /** Connections that are open -> bytes sent, as they were told last. */
  readonly #open = new Map<Socket, number>();
  #accepted = 0;
  /** Over connections that have ended. */
  #received = 0;
  #sent = 0;

  watch(server: Server): void {
    const event = server instanceof HttpsServer ? 'secureConnection' : 'connection';
    const forget = (socket: Socket): void => this.#forget(socket);
    // One function for all of them: each connection would pay for a closure of its own.
    function onClose(this: Socket): void {
      forget(this);
    }
    server.on(event, (socket: Socket) => {
      this.#accepted += 1;
      this.#open.set(socket, 0);
      socket.on('close', onClose);
    });
  }

  #forget(socket: Socket): void {
    this.#received += socket.bytesRead;
    this.#sent += this.#sentOver(socket);
    this.#open.delete(socket);
  }

  get open(): number {
    return this.#open.size;
  }

  /** Since the start. */
  get counts(): { connections: number; bytesReceived: number; bytesSent: number } {
    let [bytesReceived, bytesSent] = [this.#received, this.#sent];
    for (const socket of this.#open.keys()) {
      bytesReceived += socket.bytesRead;
      bytesSent += this.#sentOver(socket);
    }
    return { connections: this.#accepted, bytesReceived, bytesSent };
  }

  /** What waits to be sent is counted too, and is counted still when the connection is cut before. */
  #sentOver(socket: Socket): number {
    const sent = Math.max(this.#open.get(socket) ?? 0, socket.bytesWritten);
    this.#open.set(socket, sent);
    return sent;
  }
}
