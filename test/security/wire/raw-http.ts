/** Sends bytes that no HTTP client sends, and reads what comes back until the server closes or says nothing more. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  /** Of each answer, in order. */
  readonly statuses: readonly number[];
  readonly text: string;
  readonly isClosed: boolean;
}

const ANSWER_WITHIN_MS = 20_000;
/** Long enough for a second answer that must not come. */
const QUIET_MS = 300;

export async function sendRaw(port: number, ...pieces: readonly (string | Buffer)[]): Promise<RawAnswer> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  let text = '';
  let isClosed = false;
  socket.on('data', (data: Buffer) => {
    text += data.toString('latin1');
  });
  socket.on('close', () => {
    isClosed = true;
  });
  socket.on('error', () => {});
  for (const piece of pieces) socket.write(piece);
  await quiet(socket, () => isClosed);
  socket.destroy();
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  return { statuses, text, isClosed };
}

/** The head of a request to this host; every line of `headers` is sent as it is. */
export function headOf(method: string, path: string, ...headers: readonly string[]): string {
  const hasHost = headers.some((line) => /^host\s*:/i.test(line));
  return [`${method} ${path} HTTP/1.1`, ...(hasHost ? [] : ['host: localhost']), ...headers, '', ''].join(
    '\r\n',
  );
}

async function quiet(socket: Socket, isClosed: () => boolean): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ANSWER_WITHIN_MS);
    socket.on('data', () => {
      clearTimeout(timer);
      timer = setTimeout(resolve, QUIET_MS);
    });
    socket.on('close', () => resolve());
    if (isClosed()) resolve();
  });
  clearTimeout(timer);
}
