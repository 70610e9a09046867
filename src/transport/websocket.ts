/**
 * uWebSockets.js ↔ connections. What bites in that library is kept in this file: a message's buffer is only valid
 * during its callback, a closed socket throws on any call, and `send` answers 2 where it dropped the message.
 */
import type { TemplatedApp, WebSocket } from 'uws-node20';
import { MAX_FRAME_BYTES } from '../protocol/client-frames.ts';
import { Connection, type ConnectionPorts, type Wire } from './connection.ts';
import { peerOf } from './peer.ts';
import type { Uws } from './uws.ts';

interface UserData {
  readonly address: string;
  connection: Connection | null;
}

/** Over-size frames up to this are read, so that they get a typed error instead of a bare 1006. */
const TRANSPORT_MAX_BYTES = 4 * MAX_FRAME_BYTES;
/** Outbound bytes that may wait for one client; the first send beyond it ends the connection. */
const BACKPRESSURE_MAX_BYTES = 1024 * 1024;
const DROPPED = 2;
const SUB_PROTOCOL = 'rehydra.v1';

export interface WebSocketServer {
  readonly connections: ReadonlySet<Connection>;
}

export function serveWebSocket(
  app: TemplatedApp,
  uws: Uws,
  path: string,
  ports: ConnectionPorts,
): WebSocketServer {
  const connections = new Set<Connection>();
  app.ws<UserData>(path, {
    compression: uws.DISABLED,
    maxPayloadLength: TRANSPORT_MAX_BYTES,
    maxBackpressure: BACKPRESSURE_MAX_BYTES,
    idleTimeout: 120,
    sendPingsAutomatically: true,
    upgrade(res, req, context) {
      const offered = req
        .getHeader('sec-websocket-protocol')
        .split(',')
        .map((name) => name.trim());
      res.upgrade<UserData>(
        { address: peerOf(res), connection: null },
        req.getHeader('sec-websocket-key'),
        offered.includes(SUB_PROTOCOL) ? SUB_PROTOCOL : '',
        req.getHeader('sec-websocket-extensions'),
        context,
      );
    },
    open(ws) {
      const connection = new Connection(ports, wireOf(ws, ws.getUserData().address));
      ws.getUserData().connection = connection;
      connections.add(connection);
      ports.metrics.connected();
    },
    message(ws, message, isBinary) {
      const { connection } = ws.getUserData();
      if (isBinary && message.byteLength <= MAX_FRAME_BYTES) connection?.receiveBinary();
      else connection?.receive(message);
    },
    close(ws) {
      const data = ws.getUserData();
      if (data.connection === null) return;
      connections.delete(data.connection);
      data.connection.closed();
      data.connection = null;
    },
  });
  return { connections };
}

function wireOf(ws: WebSocket<UserData>, address: string): Wire {
  let open = true;
  return {
    address,
    send(frames) {
      if (!open) return true;
      try {
        let kept = true;
        ws.cork(() => {
          for (const frame of frames) {
            kept = ws.send(frame) !== DROPPED;
            if (!kept) break;
          }
        });
        return kept;
      } catch {
        // uWebSockets.js throws on a closed socket; its close handler does the rest.
        open = false;
        return true;
      }
    },
    close(code, reason) {
      if (!open) return;
      open = false;
      try {
        ws.end(code, reason);
      } catch {
        // closed already
      }
    },
  };
}
