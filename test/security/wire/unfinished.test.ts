/**
 * Strangers who begin and never finish: frames, bodies and heads of requests. The instance keeps a bounded part of them, and
 * serves clients in between.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { TestClient } from '../../support/instance/client.ts';
import { ask } from '../../support/instance/http.ts';
import { startInstance } from '../../support/instance/instance.ts';
import { metric } from '../../support/instance/observed.ts';
import { started } from '../../support/instance/started.ts';
import { headOf } from './raw-http.ts';

const MIB = 1024 * 1024;
/** What the service itself needs for thousands of connections, and what V8 has not collected yet. */
const SLACK_BYTES = 128 * MIB;
const AWAITING_MAX = 512;
const TOGETHER = 100;

const report = (text: string) => process.stdout.write(`${text}\n`);

const UPGRADE = headOf(
  'GET',
  '/v1/session',
  'upgrade: websocket',
  'connection: upgrade',
  'sec-websocket-version: 13',
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
);

/** The beginning of a masked text frame of so many bytes, all but its last one. */
function unfinishedFrame(bytes: number): Buffer {
  const head = Buffer.alloc(14);
  head.writeUInt8(0x81, 0);
  head.writeUInt8(0x80 | 127, 1);
  head.writeBigUInt64BE(BigInt(bytes), 2);
  return Buffer.concat([head, Buffer.alloc(bytes - 1, 0x61)]);
}

describe('what strangers never finish', () => {
  const [instance] = started(() => startInstance({ SIMULATOR_TOKENS_PER_SECOND: '0' }));
  const strangers: Socket[] = [];
  afterEach(() => {
    for (const socket of strangers.splice(0)) socket.destroy();
  });

  const residentBytes = () => metric(instance.http, 'rehydra_process_resident_memory_bytes');

  /** Opens sockets that send these bytes and then neither read nor close. Each piece but the last is answered. */
  async function send(count: number, ...pieces: readonly (string | Buffer)[]): Promise<void> {
    for (let first = 0; first < count; first += TOGETHER) {
      const sockets = Array.from({ length: Math.min(TOGETHER, count - first) }, () =>
        connect({ port: instance.port, host: '127.0.0.1', allowHalfOpen: true }),
      );
      strangers.push(...sockets);
      await Promise.all(
        sockets.map(async (socket) => {
          socket.on('error', () => {});
          await once(socket, 'connect');
          for (const piece of pieces.slice(0, -1)) {
            socket.write(piece);
            // uWebSockets.js drops what comes together with an upgrade.
            await once(socket, 'data');
            socket.pause();
          }
          const rest = pieces.at(-1) ?? '';
          await new Promise<void>((resolve) => {
            socket.once('close', () => resolve());
            socket.write(rest, () => resolve());
          });
        }),
      );
      // The instance reads what reached it before it answers these.
      for (let times = 0; times < 3; times += 1) await (await fetch(`${instance.http}/healthz`)).text();
    }
  }

  async function serves(): Promise<void> {
    const client = await TestClient.greet(instance.url, { after: 0 });
    client.message('m', 'Good morning');
    expect((await client.completed('m')).type).toBe('turn.completed');
    await client.close();
    await ask(instance.http, { chief_complaint: 'headache' });
  }

  it('sockets with unfinished frames take the memory of those that may wait, however many come', async () => {
    await serves();
    const before = await residentBytes();
    const bytes = 125 * 1024;
    await send(3_000, UPGRADE, unfinishedFrame(bytes));
    const grown = (await residentBytes()) - before;
    await serves();
    report(`3,000 unfinished frames of ${bytes} bytes: ${Math.round(grown / MIB)} MiB`);
    expect(grown).toBeLessThan(AWAITING_MAX * bytes + SLACK_BYTES);
    // The client that was served entered too, and the oldest of them gave way.
    expect(await metric(instance.http, 'rehydra_connections')).toBe(AWAITING_MAX - 1);
  });

  it('unfinished bodies take a bounded memory together, and a client that sends its body without a pause is served', async () => {
    await serves();
    const before = await residentBytes();
    const head = headOf('POST', '/api/protocol', 'content-type: application/json', `content-length: ${MIB}`);
    await send(300, Buffer.concat([Buffer.from(head), Buffer.alloc(MIB - 1, 0x61)]));
    await serves();
    const grown = (await residentBytes()) - before;
    report(`300 unfinished bodies of a mebibyte: ${Math.round(grown / MIB)} MiB`);
    expect(grown).toBeLessThan(32 * MIB + SLACK_BYTES);
  });

  it('unfinished heads of requests take little memory, and clients are served', async () => {
    await serves();
    const before = await residentBytes();
    await send(2_000, headOf('GET', '/api/sessions', `x: ${'y'.repeat(3_000)}`).slice(0, -2));
    await serves();
    const grown = (await residentBytes()) - before;
    report(`2,000 unfinished heads: ${Math.round(grown / MIB)} MiB`);
    expect(grown).toBeLessThan(2_000 * 4_096 + SLACK_BYTES);
  });
});
