/**
 * An inspector sits between a socket and its client, and is stricter than the client: on one connection welcome comes
 * first, then exactly `after + 1`, `after + 2` …, or the frames after a reset. A repeated, early or late frame is a
 * violation, even if the client tolerates it.
 */
import type { WebSocket } from 'ws';
import type { SocketLike } from '../../../src/client/connection.ts';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';
import { isDurable } from './client.ts';

export function inspected(socket: WebSocket, wrong: (what: string) => void): SocketLike {
  let after: number | null = null;
  let expected: number | null = null;
  let ended = false;

  function look(frame: ServerFrame): void {
    if (frame.type === 'welcome') {
      expected = (after === null ? frame.offset : frame.resumed ? after : 0) + 1;
    } else if (frame.type === 'reset') {
      expected = frame.offset + 1;
    } else if (isDurable(frame)) {
      if (expected === null) wrong(`${frame.type} ${frame.offset} before welcome`);
      else if (frame.offset !== expected)
        wrong(`${frame.type} ${frame.offset} where ${expected} was to come (after ${after})`);
      expected = frame.offset + 1;
    }
  }

  socket.addEventListener('message', ({ data }) => {
    // The client ignores frames of a connection that it gave up.
    if (!ended && typeof data === 'string') look(JSON.parse(data) as ServerFrame);
  });
  return {
    send(data) {
      const frame = JSON.parse(data) as { readonly type: string; readonly after?: number };
      if (frame.type === 'hello') after = frame.after ?? null;
      socket.send(data);
    },
    close(code, reason) {
      ended = true;
      socket.close(code, reason);
    },
    addEventListener: socket.addEventListener.bind(socket) as SocketLike['addEventListener'],
  };
}
