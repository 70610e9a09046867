/** Server serves sockets and HTTP on one port. It listens once the rest of the instance is ready. */

import type { TemplatedApp, us_listen_socket } from 'uws-node20';
import type { ErrorCode } from '../errors.ts';
import type { Route } from '../http/core/router.ts';
import type { ClientAddresses } from '../limits/client-address.ts';
import { findFreePort, listenFailure, whyNotListening } from '../startup/start-failure.ts';
import type { ConnectionPorts } from './connection.ts';
import { serveHttp } from './http.ts';
import { peers } from './peer.ts';
import { loadUws } from './uws.ts';
import { serveWebSocket } from './websocket.ts';

/**
 * `alone`: no other process may listen on the port. `first`: workers of the same supervisor may join later. `joins`: others
 * listen already, and the kernel shares new connections out.
 */
export type PortUse = 'alone' | 'first' | 'joins';

export interface Server {
  /** Resolves with the port; rejects with the reason if it cannot listen. */
  listen(host: string, port: number, use: PortUse): Promise<number>;
  readonly connectionCount: () => number;
  /** HTTP requests that a route has not answered completely. */
  readonly unanswered: () => number;
  /** Closes every client's connection for this reason. */
  sendAway(code: ErrorCode): void;
  /** Accepts no new connections; open ones stay. */
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
    async listen(host, port, use) {
      const where = { host, port, hostName: 'HOST', portName: 'PORT' };
      // A shared port would also be shared with a foreign process, so the first worker looks whether one listens.
      const chosen = use === 'first' ? await findFreePort(where) : port;
      const options = use === 'alone' ? EXCLUSIVE_PORT : SHARED_PORT;
      listening = await tryToListen(app, host, chosen, options);
      if (listening === null) {
        const reason = await whyNotListening(where);
        if (reason !== null) throw reason;
        listening = await tryToListen(app, host, chosen, options);
      }
      if (listening === null) throw listenFailure(null, where);
      return uws.us_socket_local_port(listening);
    },
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

/** LIBUS_LISTEN_EXCLUSIVE_PORT. Without it uWebSockets.js shares the port with any other process that listens on it. */
const EXCLUSIVE_PORT = 1;
/** LIBUS_LISTEN_DEFAULT: SO_REUSEPORT, which uWebSockets.js does not set for port 0. */
const SHARED_PORT = 0;

/** Both builds take options with a host; the older build's types omit them. */
interface Listener {
  listen(
    host: string,
    port: number,
    options: number,
    listening: (socket: us_listen_socket | false) => void,
  ): unknown;
}

function tryToListen(
  app: TemplatedApp,
  host: string,
  port: number,
  options: number,
): Promise<us_listen_socket | null> {
  return new Promise((resolve) => {
    (app as unknown as Listener).listen(host, port, options, (socket) => resolve(socket || null));
  });
}
