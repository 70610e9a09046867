/** A model server that writes its responses byte by byte: status line, headers, chunks and cuts are the test's own. */

import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';

export interface WireRequest {
  /** The first line and the headers, in lower case. */
  readonly head: string;
  readonly socket: Socket;
  /** Counts the requests for an answer, from 1. */
  readonly number: number;
  /** Counts the connections, from 1. */
  readonly connection: number;
}

export interface WireServer {
  /** Ends in /v1. */
  readonly url: string;
  readonly requests: () => number;
  close(): void;
}

/** Serves no list of models: the test names its model. */
export async function startWireServer(answer: (request: WireRequest) => void): Promise<WireServer> {
  const sockets = new Set<Socket>();
  let requests = 0;
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    const connection = connections;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let received = '';
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
      for (;;) {
        const end = received.indexOf('\r\n\r\n');
        if (end < 0) return;
        const head = received.slice(0, end).toLowerCase();
        const length = end + 4 + Number(/\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
        if (received.length < length) return;
        received = received.slice(length);
        if (head.startsWith('get ')) {
          socket.write('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
          continue;
        }
        requests += 1;
        answer({ head, socket, number: requests, connection });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests: () => requests,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export const STREAM = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n';

/** One HTTP chunk. */
export const chunkOf = (data: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(data);
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
};

export const LAST_CHUNK = '0\r\n\r\n';

/** Writes each piece once the one before has left, so that they arrive apart. */
export async function writeApart(socket: Socket, pieces: Iterable<string | Uint8Array>): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return;
    await new Promise<void>((resolve) => socket.write(piece, () => setImmediate(resolve)));
  }
}
