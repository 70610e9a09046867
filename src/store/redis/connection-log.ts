/**
 * Logs the connections of a store: one line for each change, however often they are dialled meanwhile.
 *
 *  CONN-LOG-1  A reason is logged when a connection first fails for it, unless another connection fails for it already.
 *  CONN-LOG-2  Success is logged after a failure only, and when every connection is ready.
 */
import type { Log } from './connection.ts';

/** What both kinds of ioredis client emit. */
export interface Connection {
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'ready', listener: () => void): unknown;
}

export function logConnections(connections: readonly Connection[], label: string, log: Log): void {
  /** The reason why each connection fails; a connection that is ready has none. */
  const reasons = new Map<Connection, string>();
  for (const connection of connections) {
    // Without a listener ioredis prints to the console; the calls that fail say it to their callers.
    connection.on('error', ({ message }) => {
      const isKnown = [...reasons.values()].includes(message);
      reasons.set(connection, message);
      if (!isKnown) log('warn', 'redis connection', { redis: label, error: message });
    });
    connection.on('ready', () => {
      if (reasons.delete(connection) && reasons.size === 0)
        log('info', 'redis connected again', { redis: label });
    });
  }
}
