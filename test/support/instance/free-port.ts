/**
 * A port of 127.0.0.1 that is free, and stays free while its server is away: it is below the range from which the
 * kernel takes the ports of outgoing connections. Such a connection would block a server that comes back.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';

const FIRST_PORT = 12_000;
const PORTS = 18_000;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const server = createServer();
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      server.close();
      await once(server, 'close');
      return port;
    } catch {
      // somebody's
    }
  }
}
