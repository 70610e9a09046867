/** A stranger's program: it connects with the package, and the test plays the server at its sockets. */

import { vi } from 'vitest';
import type { SocketLike } from '../../../src/client/connection.ts';
import { type ConnectOptions, connect } from '../../../src/client/package/client.ts';
import { FakeSocket, SESSION } from './client-scene.ts';

const DIALS_WITHIN_MS = 5_000;

/** A WebSocket constructor whose sockets the test serves. */
export function fakeSockets() {
  const sockets: FakeSocket[] = [];
  /** A constructor that returns another object, as `new` allows. */
  const WebSocket = function dial(url: string) {
    const socket = new FakeSocket(url);
    sockets.push(socket);
    return socket.like;
  } as unknown as new (
    url: string,
  ) => SocketLike;
  return {
    sockets,
    WebSocket,
    /** Opens the newest socket and sends welcome. */
    welcome(more: Record<string, unknown> = {}): FakeSocket {
      const socket = sockets.at(-1)!;
      socket.open();
      socket.say({
        type: 'welcome',
        session_id: SESSION,
        resumed: sockets.length > 1,
        state: 'connected',
        offset: 1,
        epoch: 1,
        created_at: 1_000,
        expires_at: 2_000,
        absolute_expires_at: 3_000,
        instance: 'one',
        ...more,
      });
      return socket;
    },
    /** Waits until the client has dialled so often. */
    dial: (count: number): Promise<FakeSocket> =>
      vi.waitUntil(() => (sockets.length >= count ? sockets.at(-1) : undefined), {
        timeout: DIALS_WITHIN_MS,
      }),
  };
}

export function packageScene(options: Partial<ConnectOptions> = {}) {
  const { WebSocket, ...server } = fakeSockets();
  return { session: connect({ url: 'ws://one', WebSocket, ...options }), ...server };
}

export const completed = (offset: number, id: string) => ({
  type: 'turn.completed',
  offset,
  epoch: 1,
  turn_id: `t-${id}`,
  message_id: id,
  finish_reason: 'stop',
});
