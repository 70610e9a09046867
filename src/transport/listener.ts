/**
 * Listener serves one address with uWebSockets.js, with or without TLS, and takes a new certificate while it serves.
 *
 * An app of that library keeps the certificate that it began with. So with TLS one app listens and hands each accepted
 * connection to another app, the one with the newest certificate. A new certificate is a new app with the same routes.
 *
 *  LISTENER-1  The listen socket outlives every certificate: no client is refused while the certificate changes.
 *  LISTENER-2  A connection stays with the app that it began with, so a new certificate ends no connection.
 *  LISTENER-3  A certificate that uWebSockets.js refuses changes nothing.
 */
import type { TemplatedApp, us_listen_socket } from 'uws-node20';
import {
  findFreePort,
  type Listening,
  listenFailure,
  startFailure,
  whyNotListening,
} from '../startup/start-failure.ts';
import type { Certificate } from './certificate.ts';
import type { Uws } from './uws.ts';

/**
 * `alone`: no other process may listen on the port. `first`: workers of the same supervisor may join later. `joins`: others
 * listen already, and the kernel shares new connections out.
 */
export type PortUse = 'alone' | 'first' | 'joins';

export interface Listener {
  /** Resolves with the port; rejects with the reason if it cannot listen. */
  listen(where: Listening, use: PortUse): Promise<number>;
  /** Makes the app of a new certificate; it serves new connections once the returned function is called. */
  prepare(certificate: Certificate): () => void;
  /** Accepts no new connections; open ones stay. */
  stopListening(): void;
  close(): void;
}

/** `serve` adds the routes to an app. It runs once for each certificate, or once without TLS. */
export function createListener(
  uws: Uws,
  certificate: Certificate | null,
  serve: (app: TemplatedApp) => void,
): Listener {
  let listening: us_listen_socket | null = null;
  /** All that were made: an app with an older certificate still has connections (LISTENER-2). */
  const apps: TemplatedApp[] = [];
  const make = (served: Certificate | null): TemplatedApp => {
    const app = served === null ? uws.App() : encryptedApp(uws, served);
    serve(app);
    apps.push(app);
    return app;
  };
  let serving = make(certificate);
  const acceptor = certificate === null ? serving : acceptorOf(uws, serving);
  return {
    async listen(where, use) {
      const { port } = where;
      // A shared port would also be shared with a foreign process, so the first worker looks whether one listens.
      const chosen = use === 'first' ? await findFreePort(where) : port;
      const options = use === 'alone' ? EXCLUSIVE_PORT : SHARED_PORT;
      listening = await tryToListen(acceptor, where.host, chosen, options);
      if (listening === null) {
        const reason = await whyNotListening(where);
        if (reason !== null) throw reason;
        listening = await tryToListen(acceptor, where.host, chosen, options);
      }
      if (listening === null) throw listenFailure(null, where);
      return uws.us_socket_local_port(listening);
    },
    prepare(next) {
      const app = make(next);
      return () => {
        parent(acceptor).addChildAppDescriptor(descriptorOf(app));
        parent(acceptor).removeChildAppDescriptor(descriptorOf(serving));
        serving = app;
      };
    },
    stopListening() {
      if (listening !== null) uws.us_listen_socket_close(listening);
      listening = null;
    },
    close() {
      listening = null;
      for (const app of new Set([acceptor, ...apps])) app.close();
    },
  };
}

/**
 * For TLS 1.2: only ciphers that authenticate each record and whose sessions a stolen key does not open. TLS 1.3 has no
 * others, and uWebSockets.js speaks nothing older than 1.2.
 */
const CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

function encryptedApp(uws: Uws, { certPath, keyPath }: Certificate): TemplatedApp {
  try {
    return uws.SSLApp({ cert_file_name: certPath, key_file_name: keyPath, ssl_ciphers: CIPHERS });
  } catch (cause) {
    throw startFailure(
      'uWebSockets.js cannot serve TLS_CERT with TLS_KEY; an RSA key of 2,048 bits or an EC key of P-256 works',
      cause,
    );
  }
}

/** Both builds have these; the older build's types omit them. */
interface Parent {
  addChildAppDescriptor(descriptor: number): void;
  removeChildAppDescriptor(descriptor: number): void;
}

const parent = (app: TemplatedApp) => app as unknown as Parent;

const descriptorOf = (app: TemplatedApp): number =>
  (app as unknown as { getDescriptor(): number }).getDescriptor();

/** An app without a certificate and without routes: it reads nothing of the connections that it accepts. */
function acceptorOf(uws: Uws, child: TemplatedApp): TemplatedApp {
  const acceptor = uws.SSLApp({});
  parent(acceptor).addChildAppDescriptor(descriptorOf(child));
  return acceptor;
}

/** LIBUS_LISTEN_EXCLUSIVE_PORT. Without it uWebSockets.js shares the port with any other process that listens on it. */
const EXCLUSIVE_PORT = 1;
/** LIBUS_LISTEN_DEFAULT: SO_REUSEPORT, which uWebSockets.js does not set for port 0. */
const SHARED_PORT = 0;

/** Both builds take options with a host; the older build's types omit them. */
interface Listens {
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
    (app as unknown as Listens).listen(host, port, options, (socket) => resolve(socket || null));
  });
}
