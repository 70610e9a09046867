/**
 * serveWebSocket serves WebSockets with uWebSockets.js, and handles that library's traps: a message's buffer is valid during
 * its callback only, a closed socket throws on any call, and `send` returns 2 if it dropped the message.
 */
import { randomUUID } from 'node:crypto';
import type { HttpResponse, TemplatedApp, WebSocket } from 'uws-node20';
import { problem } from '../http/core/answer.ts';
import { MAX_FRAME_BYTES } from '../protocol/client-frames.ts';
import { Connection, type ConnectionPorts, type Wire } from './connection.ts';
import type { PeerOf } from './peer.ts';
import type { Uws } from './uws.ts';

interface UserData {
  readonly address: string;
  connection: Connection | null;
}

/**
 * Frames up to this size are read, so that an over-size frame gets a typed error instead of a bare 1006. Each socket may
 * keep as much of an unfinished frame in memory: the library knows no lower limit for strangers.
 */
const TRANSPORT_MAX_BYTES = 2 * MAX_FRAME_BYTES;
/** Outbound bytes that may wait for one client; the first send beyond them ends the connection. */
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
  peerOf: PeerOf,
): WebSocketServer {
  const connections = new Set<Connection>();
  app.ws<UserData>(path, {
    compression: uws.DISABLED,
    maxPayloadLength: TRANSPORT_MAX_BYTES,
    maxBackpressure: BACKPRESSURE_MAX_BYTES,
    idleTimeout: 120,
    sendPingsAutomatically: true,
    upgrade(res, req, context) {
      const offered = req.getHeader('sec-websocket-protocol').split(',');
      const address = peerOf(res, req);
      const key = req.getHeader('sec-websocket-key');
      const protocol = offered.some((name) => name.trim() === SUB_PROTOCOL) ? SUB_PROTOCOL : '';
      const extensions = req.getHeader('sec-websocket-extensions');
      const accept = () =>
        res.upgrade<UserData>({ address, connection: null }, key, protocol, extensions, context);
      const { connections } = ports.limits;
      if (connections === null) return accept();
      let gone = false;
      res.onAborted(() => {
        gone = true;
      });
      void connections.take(address).then((waitMs) => {
        if (!gone) res.cork(() => (waitMs === 0 ? accept() : refuse(res, waitMs)));
      });
    },
    open(ws) {
      const connection = new Connection(ports, new SocketWire(ws, ws.getUserData().address));
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

/** Refuses the upgrade over HTTP. A rate-limited client leaves no state behind. */
function refuse(res: HttpResponse, waitMs: number): void {
  const { status, headers, body } = problem('rate_limited', randomUUID(), undefined, waitMs);
  res.writeStatus(String(status));
  for (const [name, value] of Object.entries(headers)) res.writeHeader(name, value);
  res.end(typeof body === 'string' ? body : '');
}

class SocketWire implements Wire {
  readonly address: string;
  readonly #ws: WebSocket<UserData>;
  #isOpen = true;

  constructor(ws: WebSocket<UserData>, address: string) {
    this.#ws = ws;
    this.address = address;
  }

  send(frames: readonly string[]): boolean {
    if (!this.#isOpen) return true;
    const ws = this.#ws;
    try {
      const [only] = frames;
      if (frames.length === 1 && only !== undefined) return ws.send(only) !== DROPPED;
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
      this.#isOpen = false;
      return true;
    }
  }

  close(code: number, reason: string, how?: 'now'): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      if (how === 'now') this.#ws.close();
      else this.#ws.end(code, reason);
    } catch {
      // closed already
    }
  }
}
