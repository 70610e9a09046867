/** Streams long answers to many clients: through the service, and straight from the upstream. */
import { connect, type Socket } from 'node:net';
import type { Client } from './client.ts';
import { messageFrame, question } from './exchanges.ts';
import type { OrderOf, StreamResult } from './orders.ts';
import { startTokenClock } from './token-clock.ts';
import { textFrame } from './wire.ts';

const pause = (ms: number) => new Promise<void>((resume) => setTimeout(resume, ms));
const MS = 1_000;
/** No other frame of a turn has this letter there. */
const DELTA_AT = '{"type":"'.length;
const DELTA = 'd'.charCodeAt(0);
const NEWLINE = '\n'.charCodeAt(0);

/** Enough tokens to outlast the window. */
function tokensFor(warmMs: number, windowMs: number, tokensPerSecond: number): number {
  return Math.ceil(((warmMs + windowMs) / MS + 10) * tokensPerSecond);
}

/** Spreads the starts over the warm-up: streams that begin together would send all their tokens together. */
function spread(index: number, count: number, warmMs: number): number {
  return (index / count) * warmMs * 0.6;
}

export async function throughService(
  clients: readonly Client[],
  { warmMs, windowMs, watch, tokensPerSecond }: OrderOf<'streams'>,
): Promise<StreamResult> {
  const clock = startTokenClock(warmMs, windowMs, watch);
  const tokens = tokensFor(warmMs, windowMs, tokensPerSecond);
  for (const [index, client] of clients.entries()) {
    client.onText = (payload) => {
      if (payload[DELTA_AT] === DELTA) clock.receive(payload);
    };
    setTimeout(
      () => client.send(messageFrame(question(tokens, tokensPerSecond))),
      spread(index, clients.length, warmMs),
    );
  }
  const result = await clock.result;
  for (const client of clients) {
    client.onText = () => {};
    client.send(textFrame('{"type":"cancel"}'));
  }
  await pause(200);
  return result;
}

export async function fromUpstream({
  port,
  count,
  warmMs,
  windowMs,
  watch,
  tokensPerSecond,
}: OrderOf<'direct'>): Promise<StreamResult> {
  const clock = startTokenClock(warmMs, windowMs, watch);
  const sockets: Socket[] = [];
  const content = question(tokensFor(warmMs, windowMs, tokensPerSecond), tokensPerSecond);
  const body = JSON.stringify({ stream: true, messages: [{ role: 'user', content }] });
  for (let index = 0; index < count; index++) {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    sockets.push(socket);
    // Reads by line, because an event may come in two pieces.
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (read: Buffer) => {
      const bytes = rest.length === 0 ? read : Buffer.concat([rest, read]);
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      rest = bytes.subarray(end);
      if (end > 0) clock.receive(bytes.subarray(0, end));
    });
    socket.on('error', () => {});
    setTimeout(
      () =>
        socket.write(
          `POST /v1/chat/completions HTTP/1.1\r\nHost: upstream\r\nContent-Type: application/json\r\n` +
            `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
        ),
      spread(index, count, warmMs),
    );
  }
  const result = await clock.result;
  for (const socket of sockets) socket.destroy();
  await pause(200);
  return result;
}
