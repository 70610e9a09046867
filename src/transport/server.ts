/** Server serves sockets and HTTP on one port, and what is for operators on a port of its own if there is one. */
import type { ErrorCode } from '../errors.ts';
import type { Place } from '../http/core/places.ts';
import type { Route } from '../http/core/router.ts';
import type { ClientAddresses } from '../limits/client-address.ts';
import type { Certificate } from './certificate.ts';
import { createGate, type GatePorts } from './gate/gate.ts';
import { createListener, type Listener, type PortUse } from './listener.ts';
import { type HttpServer, serveHttp } from './request/http.ts';
import { peers } from './request/peer.ts';
import type { ConnectionPorts } from './socket/connection.ts';
import { serveWebSocket, type WebSocketServer } from './socket/websocket.ts';
import { loadUws } from './uws.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `admin` is null without a port of its own. */
export interface Served<T> {
  readonly main: T;
  readonly admin: T | null;
}

export interface Server {
  /** Resolves with the ports; rejects with the reason if it cannot listen. */
  listen(use: PortUse): Promise<Served<number>>;
  /** Serves new connections with this certificate; open ones keep theirs. Throws if it cannot be served. */
  renewCertificate(certificate: Certificate): void;
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
  readonly at: Served<Address>;
  /** Null: without TLS. */
  readonly certificate: Certificate | null;
  readonly web: Pick<GatePorts, 'allowedOrigins' | 'allowedHosts'>;
}

export async function createServer(
  ports: ServerPorts,
  routes: (server: { readonly connections: () => number }) => (place: Place) => readonly Route[],
): Promise<Server> {
  const { at, certificate } = ports;
  const uws = await loadUws();
  const peerOf = peers(ports.addresses, ports.log);
  const sockets: WebSocketServer[] = [];
  const https: HttpServer[] = [];
  const connectionCount = () => sockets.reduce((sum, { connections }) => sum + connections.size, 0);
  const routesOf = routes({ connections: connectionCount });

  const gatedAt = ({ host }: Address, servesSockets: boolean) => ({
    ...ports,
    servesSockets,
    gate: createGate({ ...ports.web, host, audit: ports.audit }),
    isEncrypted: certificate !== null,
  });
  const mainPorts = gatedAt(at.main, true);
  const mainRoutes = routesOf(at.admin === null ? 'only' : 'main');
  const main = createListener(uws, certificate, (app) => {
    sockets.push(serveWebSocket(app, uws, mainPorts, peerOf));
    https.push(serveHttp(app, mainRoutes, mainPorts, peerOf));
  });
  const adminRoutes = at.admin === null ? [] : routesOf('admin');
  const serveAdmin = (address: Address): Listener => {
    const adminPorts = gatedAt(address, false);
    return createListener(uws, certificate, (app) => {
      https.push(serveHttp(app, adminRoutes, adminPorts, peerOf));
    });
  };
  const admin = at.admin === null ? null : serveAdmin(at.admin);
  const listeners = admin === null ? [main] : [main, admin];
  return {
    async listen(use) {
      const names = { hostName: 'HOST', portName: 'PORT' };
      const port = await main.listen({ ...at.main, ...names }, use);
      if (admin === null || at.admin === null) return { main: port, admin: null };
      const adminNames = { hostName: 'ADMIN_HOST', portName: 'ADMIN_PORT' };
      return { main: port, admin: await admin.listen({ ...at.admin, ...adminNames }, use) };
    },
    renewCertificate(next) {
      // All or none: both ports have the same certificate.
      const prepared = listeners.map((listener) => listener.prepare(next));
      for (const serve of prepared) serve();
    },
    connectionCount,
    unanswered: () => https.reduce((sum, { unanswered }) => sum + unanswered(), 0),
    sendAway(code) {
      for (const { connections } of sockets)
        for (const connection of [...connections]) connection.sendAway(code);
    },
    stopListening() {
      for (const listener of listeners) listener.stopListening();
    },
    close() {
      for (const listener of listeners) listener.close();
    },
  };
}
