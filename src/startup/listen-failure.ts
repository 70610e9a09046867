/** Why a server cannot listen, and what its operator can change. */
import { createServer } from 'node:net';
import { codeOf } from '../errors.ts';
import { startFailure } from './start-failure.ts';

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** The variables that set them. */
  readonly hostName: string;
  readonly portName: string;
}

/**
 * Asks Node for the reason, because uWebSockets.js reports none. Null where the address can be listened on: whatever
 * was in the way is gone.
 */
export async function whyNotListening(listening: Listening): Promise<Error | null> {
  const { host, port } = listening;
  const cause = await new Promise<unknown>((resolve) => {
    const probe = createServer();
    probe.once('error', resolve);
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(null)));
  });
  return cause === null ? null : listenFailure(cause, listening);
}

export function listenFailure(cause: unknown, { host, port, hostName, portName }: Listening): Error {
  const code = codeOf(cause);
  const where = `${hostName}=${host} ${portName}=${port}`;
  return startFailure(`cannot listen on ${where}: ${reasonFor(code, port, hostName, portName)}`, cause);
}

function reasonFor(code: string, port: number, hostName: string, portName: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `the port is in use. One port is served by one instance: give this one another ${portName}`;
    case 'EACCES':
      return `permission denied${port < 1024 ? '. Ports below 1024 are for root; set a higher one' : ''}`;
    case 'EADDRNOTAVAIL':
      return `this machine does not have that address. ${hostName}=0.0.0.0 listens on all that it has`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host is unknown. ${hostName} takes an address of this machine, or a name that resolves to one`;
    case 'EAFNOSUPPORT':
      return 'this machine does not support that kind of address';
    default:
      return code === '' ? 'the system gives no reason' : `the system answers ${code}`;
  }
}
