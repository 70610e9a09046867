/**
 * A client on a raw socket. With a library the generator would be the limit; here all sockets read into one buffer, and
 * the client decodes only what its owner reads.
 */
import { connect } from 'node:net';
import { FrameReader, OPCODE_CLOSE, OPCODE_TEXT } from './wire.ts';

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

export function connectClient(port: number): Promise<Client> {
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
        if (opcode === OPCODE_TEXT) client.onText(payload);
        else if (opcode === OPCODE_CLOSE) socket.destroy();
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
      if (early !== '') take(Buffer.from(early, 'latin1'));
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
      `GET /v1/session HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13${HEAD_END}`,
    );
  });
}
