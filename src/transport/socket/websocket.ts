/**
 * serveWebSocket serves WebSockets with uWebSockets.js, and handles that library's traps: a message's buffer is valid during
 * its callback only, a closed socket throws on any call, and `send` returns 2 if it dropped the message.
 */
import { randomUUID } from 'node:crypto';
import type { HttpResponse, TemplatedApp, WebSocket } from 'uws-node20';
import type { Clock } from '../../clock.ts';
import type { ErrorCode } from '../../errors.ts';
import { type HttpAnswer, problem } from '../../http/core/answer.ts';
import { CHECK_CREDENTIALS_MS } from '../../identity/authenticator.ts';
import { subProtocolsIn } from '../../identity/bearer.ts';
import { type Caller, OPEN } from '../../identity/caller.ts';
import { MAX_FRAME_BYTES } from '../../protocol/client-frames.ts';
import { type Gate, SOCKET_PATH } from '../gate/gate.ts';
import { securityHeaders } from '../gate/security-headers.ts';
import { headersOf } from '../request/headers.ts';
import type { PeerOf } from '../request/peer.ts';
import { statusLine } from '../request/status-line.ts';
import type { Uws } from '../uws.ts';
import { Connection, type ConnectionPorts, type Wire } from './connection.ts';
import { proveUpgrade } from './socket-caller.ts';

interface UserData {
  readonly address: string;
  readonly caller: Caller;
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

export interface WebSocketPorts extends ConnectionPorts {
  readonly gate: Gate;
  readonly isEncrypted: boolean;
}

export interface WebSocketServer {
  readonly connections: ReadonlySet<Connection>;
}

export function serveWebSocket(
  app: TemplatedApp,
  uws: Uws,
  ports: WebSocketPorts,
  peerOf: PeerOf,
): WebSocketServer {
  const connections = new Set<Connection>();
  app.ws<UserData>(SOCKET_PATH, {
    compression: uws.DISABLED,
    maxPayloadLength: TRANSPORT_MAX_BYTES,
    maxBackpressure: BACKPRESSURE_MAX_BYTES,
    idleTimeout: 120,
    sendPingsAutomatically: true,
    upgrade(res, req, context) {
      const { address, peer } = peerOf(res, req);
      const headers = headersOf(req);
      const passage = ports.gate.passUpgrade({ ...headers, method: 'GET', path: SOCKET_PATH, address });
      if (passage.kind === 'answered') return refuseLater(res, passage.answer, ports.isEncrypted);
      const key = req.getHeader('sec-websocket-key');
      const { answers, shown } = subProtocolsIn(headers.lines('sec-websocket-protocol').join(','));
      const extensions = req.getHeader('sec-websocket-extensions');
      const accept = (caller: Caller) =>
        res.upgrade<UserData>({ address, caller, connection: null }, key, answers, extensions, context);
      const { limits, authenticator } = ports;
      if (limits.connections === null && authenticator.isOff) return accept(OPEN);
      const { lines } = headers;
      const refuse = (code: ErrorCode, waitMs?: number) =>
        write(res, problem(code, randomUUID(), undefined, waitMs), ports.isEncrypted);
      let gone = false;
      res.onAborted(() => {
        gone = true;
      });
      const upgrading = async (): Promise<void> => {
        const waitMs = (await limits.connections?.take(address)) ?? 0;
        if (gone) return;
        if (waitMs > 0) return void res.cork(() => refuse('rate_limited', waitMs));
        const proof = await proveUpgrade(ports, { address, peer, lines, shown });
        if (gone) return;
        // Not corked: at the end of a cork uWebSockets.js may take the new socket for a response, and close it.
        if (proof.kind === 'accepted') accept(proof.caller);
        else res.cork(() => refuse(proof.code, proof.waitMs));
      };
      upgrading().catch((error: unknown) => ports.log.error({ err: error }, 'upgrade failed'));
    },
    open(ws) {
      const data = ws.getUserData();
      const connection = new Connection(ports, new SocketWire(ws, data));
      data.connection = connection;
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
  if (!ports.authenticator.isOff) checkCredentials(ports.clock, connections);
  return { connections };
}

/** One timer for all sockets: a timer for each would cost more memory than its connection's other state. */
function checkCredentials(clock: Clock, connections: ReadonlySet<Connection>): void {
  clock.after(CHECK_CREDENTIALS_MS, () => {
    const now = clock.now();
    for (const connection of [...connections]) connection.checkCredential(now);
    checkCredentials(clock, connections);
  });
}

/** In a later tick: while an answer is due, uWebSockets.js ends a connection on which another request comes. */
function refuseLater(res: HttpResponse, answer: HttpAnswer, isEncrypted: boolean): void {
  let gone = false;
  res.onAborted(() => {
    gone = true;
  });
  setImmediate(() => {
    if (gone) return;
    res.cork(() => write(res, answer, isEncrypted));
  });
}

/** Refuses the upgrade over HTTP. A refused client leaves no state behind. */
function write(res: HttpResponse, { status, headers, body }: HttpAnswer, isEncrypted: boolean): void {
  res.writeStatus(statusLine(status));
  for (const [name, value] of Object.entries({ ...securityHeaders(isEncrypted), ...headers }))
    res.writeHeader(name, value);
  res.end(typeof body === 'string' ? body : '', true);
}

class SocketWire implements Wire {
  readonly address: string;
  readonly caller: Caller;
  readonly #ws: WebSocket<UserData>;
  #isOpen = true;

  constructor(ws: WebSocket<UserData>, { address, caller }: UserData) {
    this.#ws = ws;
    this.address = address;
    this.caller = caller;
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
