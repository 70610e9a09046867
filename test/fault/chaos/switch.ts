/** One address in front of servers that take over from each other, as after a failover. */
import { connect, createServer, type Socket } from 'node:net';

export interface Switch {
  readonly port: number;
  /** Cuts every connection; later connections lead to another port. */
  leadTo(port: number): void;
  stop(): Promise<void>;
}

export async function startSwitch(firstPort: number): Promise<Switch> {
  let target = firstPort;
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const server = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (chunk) => to.write(chunk));
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('the switch has no port');
  return {
    port: address.port,
    leadTo(port) {
      target = port;
      cut();
    },
    async stop() {
      cut();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}
