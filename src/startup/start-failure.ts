/** StartFailure tells an operator in one line why a program cannot start. Only a bug shows its stack. */
import { createServer } from 'node:net';
import { CodedError, codeOf } from '../errors.ts';

/** Codes of Rehydra's own errors, and of the system calls that a start makes. */
const ANTICIPATED = /^(START|STORE|ARCHIVE)_|^E[A-Z]+$/;

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** The variables that set them. */
  readonly hostName: string;
  readonly portName: string;
}

export function startFailure(reason: string, cause?: unknown): Error {
  return new CodedError('START_REFUSED', reason, { cause });
}

/** The reason in one line without passwords; null if the error is a bug. */
export function reasonOf(error: unknown): string | null {
  const code = codeOf(error);
  if (!(error instanceof Error) || !ANTICIPATED.test(code)) return null;
  return withoutPasswords(error.message === '' ? code : error.message).replaceAll(/\s*\n\s*/g, ' ');
}

/** A parameter of a URL that names a secret, such as `password=…`; its name may be percent-encoded in part. */
const SECRET_PARAMETER = /([?&;][^\s=&;#]*(?:pass|pwd|secret|token|key|%[0-9a-f]{2})[^\s=&;#]*=)[^\s&;]*/gi;

/** URLs as logs may show them. A password may hold a slash or an @, so everything before the last @ goes. */
export function withoutPasswords(text: string): string {
  return text.replaceAll(/:\/\/\S*@/g, '://***@').replaceAll(SECRET_PARAMETER, '$1***');
}

/** Asks Node why an address cannot be listened on: uWebSockets.js gives no reason. Null if the obstacle is gone. */
export async function whyNotListening(listening: Listening): Promise<Error | null> {
  const probe = await probeAddress(listening);
  return probe.kind === 'free' ? null : listenFailure(probe.cause, listening);
}

/** A port on which no process listens, not even one that would share it; any such port if the given one is 0. */
export async function findFreePort(listening: Listening): Promise<number> {
  const probe = await probeAddress(listening);
  if (probe.kind === 'taken') throw listenFailure(probe.cause, listening);
  return probe.port;
}

type Probe =
  | { readonly kind: 'free'; readonly port: number }
  | { readonly kind: 'taken'; readonly cause: unknown };

function probeAddress({ host, port }: Listening): Promise<Probe> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (cause) => resolve({ kind: 'taken', cause }));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      const found = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve({ kind: 'free', port: found }));
    });
  });
}

export function listenFailure(cause: unknown, listening: Listening): Error {
  const { host, port, hostName, portName } = listening;
  const reason = listenReason(codeOf(cause), listening);
  return startFailure(`cannot listen on ${hostName}=${host} ${portName}=${port}: ${reason}`, cause);
}

function listenReason(code: string, { port, hostName, portName }: Listening): string {
  switch (code) {
    case 'EADDRINUSE':
      return `the port is in use. One instance serves one port: give this instance another ${portName}`;
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
