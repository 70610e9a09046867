/** One port for sockets and HTTP. It is told to listen when everything behind it is ready. */

import type { us_listen_socket } from 'uws-node20';
import type { ErrorCode } from '../errors.ts';
import type { Route } from '../http/router.ts';
import type { ClientAddresses } from '../limits/client-address.ts';
import type { ConnectionPorts } from './connection.ts';
import { serveHttp } from './http.ts';
import { peers } from './peer.ts';
import { loadUws } from './uws.ts';
import { serveWebSocket } from './websocket.ts';

export interface Server {
  /** Resolves with the port that was taken. */
  listen(host: string, port: number): Promise<number>;
  readonly connectionCount: () => number;
  /** HTTP requests that a route has and has not answered to the end. */
  readonly unanswered: () => number;
  /** Says to every client why it must go. */
  sendAway(code: ErrorCode): void;
  /** Nobody new; what is open stays. */
  stopListening(): void;
  close(): void;
}

export interface ServerPorts extends ConnectionPorts {
  readonly addresses: ClientAddresses;
}

export async function createServer(
  ports: ServerPorts,
  routes: (server: { readonly connections: () => number }) => readonly Route[],
): Promise<Server> {
  const uws = await loadUws();
  const app = uws.App();
  const peerOf = peers(ports.addresses, ports.log);
  const sockets = serveWebSocket(app, uws, '/v1/session', ports, peerOf);
  const connectionCount = () => sockets.connections.size;
  const http = serveHttp(app, routes({ connections: connectionCount }), ports, peerOf);
  let listening: us_listen_socket | null = null;
  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        app.listen(host, port, (socket) => {
          if (socket === false) return reject(new Error(`cannot listen on ${host}:${port}`));
          listening = socket;
          resolve(uws.us_socket_local_port(socket));
        });
      }),
    connectionCount,
    unanswered: http.unanswered,
    sendAway(code) {
      for (const connection of [...sockets.connections]) connection.sendAway(code);
    },
    stopListening() {
      if (listening !== null) uws.us_listen_socket_close(listening);
      listening = null;
    },
    close: () => app.close(),
  };
}
