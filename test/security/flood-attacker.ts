/**
 * The attacker of the flood, a program of its own: it opens thousands of sockets from several addresses, none of which ever
 * proves an identity, and closes none of them.
 */
import { connect, type Socket } from 'node:net';
import { headOf } from './wire/raw-http.ts';

export interface FloodOrder {
  readonly ports: readonly number[];
  /** Addresses of this machine that the sockets come from. */
  readonly addresses: readonly string[];
  readonly count: number;
  readonly perSecond: number;
  readonly forgedToken: string;
}

export interface FloodResult {
  /** Connections that the kernel refused to open. */
  readonly failed: number;
  readonly upgraded: number;
  /** Upgrades that were refused with 429. */
  readonly limited: number;
  /** Sockets that an instance has closed. */
  readonly closed: number;
  /** What the attacker used of the cores that it shares with the instances. */
  readonly cpuMs: number;
  readonly tookMs: number;
}

interface Tally {
  failed: number;
  upgraded: number;
  limited: number;
  closed: number;
}

const STEP_MS = 20;
const JUNK_EVERY_MS = 300;
const UNFINISHED_BYTES = 125 * 1024;
const BODY_BYTES = 1024 * 1024;

const UPGRADE = headOf(
  'GET',
  '/v1/session',
  'upgrade: websocket',
  'connection: upgrade',
  'sec-websocket-version: 13',
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
);
const HALF_HEAD = headOf('GET', '/api/sessions', `x: ${'y'.repeat(3_000)}`).slice(0, -2);
const HALF_BODY = Buffer.concat([
  Buffer.from(
    headOf('POST', '/api/protocol', 'content-type: application/json', `content-length: ${BODY_BYTES}`),
  ),
  Buffer.alloc(BODY_BYTES / 16, 0x61),
]);

/** A masked text frame that announces so many bytes; a mask of zeros changes nothing. */
function frame(payload: Buffer, announced = payload.length): Buffer {
  const head = Buffer.alloc(14);
  head.writeUInt8(0x81, 0);
  head.writeUInt8(0x80 | 127, 1);
  head.writeBigUInt64BE(BigInt(announced), 2);
  return Buffer.concat([head, payload]);
}

const UNFINISHED = frame(Buffer.alloc(UNFINISHED_BYTES - 1, 0x61), UNFINISHED_BYTES);

type Act = (socket: Socket, order: FloodOrder, tally: Tally) => void;

/** Calls `then` once the instance has taken the upgrade. */
function upgrade(socket: Socket, tally: Tally, then: () => void): void {
  socket.once('data', (data) => {
    const head = data.toString('latin1', 0, 16);
    if (head.startsWith('HTTP/1.1 429')) tally.limited += 1;
    if (!head.startsWith('HTTP/1.1 101')) return;
    tally.upgraded += 1;
    then();
  });
  socket.write(UPGRADE);
}

/** Sends these again and again, until the instance closes the socket. */
function repeat(socket: Socket, tally: Tally, frames: readonly Buffer[]): void {
  upgrade(socket, tally, () => {
    let sent = 0;
    const send = () => {
      const next = frames[sent % frames.length];
      if (next !== undefined && socket.writable) socket.write(next);
      sent += 1;
    };
    send();
    const timer = setInterval(send, JUNK_EVERY_MS);
    socket.once('close', () => clearInterval(timer));
  });
}

const JUNK = [
  frame(Buffer.from('{')),
  frame(Buffer.alloc(16_000, 0x5b)),
  frame(Buffer.from('{"type":"close"}')),
];

const ACTS: readonly Act[] = [
  (socket, _, tally) => repeat(socket, tally, JUNK),
  (socket, { forgedToken }, tally) =>
    repeat(socket, tally, [frame(Buffer.from(JSON.stringify({ type: 'hello', token: forgedToken })))]),
  (socket, _, tally) => upgrade(socket, tally, () => socket.write(UNFINISHED)),
  (socket, _, tally) => upgrade(socket, tally, () => socket.write(UNFINISHED)),
  (socket) => socket.write(HALF_HEAD),
  (socket) => socket.write(HALF_BODY),
];

function flood(order: FloodOrder): Promise<FloodResult> {
  const { ports, addresses, count, perSecond } = order;
  const tally: Tally = { failed: 0, upgraded: 0, limited: 0, closed: 0 };
  const beganAt = performance.now();
  return new Promise((resolve) => {
    let opened = 0;
    const open = () => {
      const round = Math.floor(opened / ACTS.length);
      const act = ACTS[opened % ACTS.length];
      const socket = connect({
        port: ports[round % ports.length] ?? 0,
        host: '127.0.0.1',
        localAddress: addresses[Math.floor(round / ports.length) % addresses.length] ?? '127.0.0.1',
        noDelay: true,
      });
      opened += 1;
      let isOpen = false;
      socket.on('connect', () => {
        isOpen = true;
        act?.(socket, order, tally);
        // An attacker that does not read would not see its end.
        socket.resume();
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        if (isOpen) tally.closed += 1;
        else tally.failed += 1;
        if (tally.closed + tally.failed === count) resolve(resultOf(tally, beganAt));
      });
    };
    const timer = setInterval(() => {
      const due = Math.min(count, Math.ceil(((performance.now() - beganAt) / 1_000) * perSecond));
      while (opened < due) open();
      if (opened === count) clearInterval(timer);
    }, STEP_MS);
  });
}

function resultOf(tally: Tally, beganAt: number): FloodResult {
  const { user, system } = process.cpuUsage();
  return { ...tally, cpuMs: (user + system) / 1_000, tookMs: performance.now() - beganAt };
}

process.on('message', (order: FloodOrder) => {
  void flood(order).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit());
// Its program is loaded: the flood can begin without work of its own beside it.
process.send?.('ready');
