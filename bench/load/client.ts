/**
 * A client on a raw socket. With a library the generator would be the limit; here all sockets read into one buffer, and
 * the client decodes only what its owner reads.
 */
import { connect } from 'node:net';
import { FrameReader, OPCODE_CLOSE, OPCODE_TEXT, textFrame } from './wire.ts';

/** The frames that a server understands: the service's own, or Socket.IO's on a plain WebSocket. */
export type Speech = 'rehydra' | 'socket.io';

/** How a client names or proves its user in its hello. */
export interface HelloFields {
  readonly user_id?: string;
  readonly token?: string;
}

export interface Client {
  sessionId: string;
  /** Receives each text message; its bytes are valid only during the call. */
  onText: (payload: Buffer) => void;
  onGone: () => void;
  send(frame: Buffer): void;
  destroy(): void;
}

const READ_BYTES = 1024 * 1024;
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
const HEAD_END = '\r\n\r\n';
const PATHS: Readonly<Record<Speech, string>> = {
  rehydra: '/v1/session',
  'socket.io': '/socket.io/?EIO=4&transport=websocket',
};
/** A Socket.IO server closes a connection that does not answer its ping. */
const PING = '2'.charCodeAt(0);
const PONG = textFrame('3');

export function connectClient(port: number, speech: Speech): Promise<Client> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader();
    let head: string | null = '';
    const client: Client = {
      sessionId: '',
      onText: () => {},
      onGone: () => {},
      send: (frame) => void socket.write(frame),
      destroy: () => void socket.destroy(),
    };
    const take = (bytes: Buffer) =>
      reader.push(bytes, (opcode, payload) => {
        if (opcode === OPCODE_CLOSE) socket.destroy();
        else if (speech === 'socket.io' && payload.length === 1 && payload[0] === PING) client.send(PONG);
        else if (opcode === OPCODE_TEXT) client.onText(payload);
      });
    const read = (bytes: Buffer) => {
      if (head === null) return take(bytes);
      head += bytes.toString('latin1');
      const end = head.indexOf(HEAD_END);
      if (end === -1) return;
      if (!head.startsWith('HTTP/1.1 101')) return void socket.destroy(new Error(head.slice(0, 100)));
      const early = head.slice(end + HEAD_END.length);
      head = null;
      resolve(client);
      // The owner of the client listens only after the promise: a frame that came with the upgrade must wait for it.
      if (early !== '') setImmediate(() => take(Buffer.from(early, 'latin1')));
    };
    const socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (length, buffer) => {
          read(Buffer.from(buffer.buffer, buffer.byteOffset, length));
          return true;
        },
      },
    });
    socket.on('error', reject);
    socket.on('close', () => {
      reject(new Error(`the connection to port ${port} was closed`));
      client.onGone();
    });
    socket.write(
      `GET ${PATHS[speech]} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13${HEAD_END}`,
    );
  });
}

const ANSWER_WITHIN_MS = 20_000;

/** Opens the client's session, and returns the milliseconds until the server has welcomed it. */
export function hello(
  client: Client,
  speech: Speech,
  sessionId?: string,
  fields: HelloFields = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no welcome came')), ANSWER_WITHIN_MS);
    const sentAt = performance.now();
    client.onText = (payload) => {
      const text = payload.toString();
      // Engine.IO's own opening; Socket.IO's follows with the answer to `40`.
      if (speech === 'socket.io' && text.startsWith('0')) return;
      clearTimeout(timer);
      client.onText = () => {};
      const welcome = speech === 'socket.io' ? text.replace(/^40/, '') : text;
      const frame = JSON.parse(welcome) as { type?: string; session_id?: string; sid?: string };
      const id = frame.type === 'welcome' ? frame.session_id : frame.sid;
      if (id === undefined) return reject(new Error(`instead of welcome: ${text}`));
      client.sessionId = id;
      resolve(performance.now() - sentAt);
    };
    const opening = JSON.stringify({
      type: 'hello',
      ...(sessionId === undefined ? {} : { session_id: sessionId }),
      ...fields,
    });
    client.send(textFrame(speech === 'socket.io' ? '40' : opening));
  });
}
