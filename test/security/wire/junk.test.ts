/**
 * Clients send junk to a real process, four frames and a ping at a time. The pong proves that the server answered all
 * four, and keeps the connection below the limit of bad frames in a row.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { TestClient } from '../../support/instance/client.ts';
import { startInstance } from '../../support/instance/instance.ts';
import { metric } from '../../support/instance/observed.ts';
import { started } from '../../support/instance/started.ts';
import { type Junk, junk, oversize } from './junk-frames.ts';

const TOGETHER = 4;
const JUNK_FRAMES = 9_900;
const OVERSIZE_FRAMES = 100;
const GROWTH_MAX_BYTES = 96 * 1024 * 1024;

describe('junk', () => {
  const [instance] = started(() => startInstance({ SIMULATOR_TOKENS_PER_SECOND: '0' }));

  const residentBytes = () => metric(instance.http, 'rehydra_process_resident_memory_bytes');
  const commits = () => metric(instance.http, 'rehydra_commits_total');

  async function chat(): Promise<TestClient> {
    const client = await TestClient.greet(instance.url, { after: 0 });
    const id = randomUUID();
    client.message(id, 'Good morning');
    const end = await client.completed(id);
    expect(end.type).toBe('turn.completed');
    expect(client.turnText(end.turn_id)).toContain('Good morning');
    await client.waitFor((frame) => frame.type === 'state' && frame.version > 2, 'calm', {
      from: client.frames.length - 1,
    });
    return client;
  }

  /** Sends the frames, and resolves with the answers that came before the pong. */
  async function answersTo(client: TestClient, frames: readonly Junk[]) {
    const from = client.frames.length;
    const nonce = randomUUID();
    for (const frame of frames) client.sendRaw(frame);
    client.send({ type: 'ping', nonce });
    await client.waitFor((frame) => frame.type === 'pong' && frame.nonce === nonce, 'the pong', { from });
    return client.frames.slice(from, -1);
  }

  it('each of ten thousand junk frames gets its typed error, reaches no session, and leaves the process unchanged', {
    timeout: 120_000,
  }, async () => {
    const clients = await Promise.all([chat(), chat(), chat()]);
    const before = { commits: await commits(), bytes: await residentBytes() };
    const logs = instance.logs.length;
    let turn = 0;
    const batch = fc.array(junk, { minLength: TOGETHER, maxLength: TOGETHER });
    await fc.assert(
      fc.asyncProperty(batch, async (frames) => {
        turn += 1;
        const client = clients[turn % clients.length];
        if (client === undefined) throw new Error('no client');
        const answers = await answersTo(client, frames);
        expect(answers).toHaveLength(TOGETHER);
        for (const answer of answers)
          expect(answer).toMatchObject({ type: 'error', code: 'bad_frame', retryable: false });
      }),
      { numRuns: JUNK_FRAMES / TOGETHER },
    );
    await fc.assert(
      fc.asyncProperty(oversize, async (frame) => {
        const client = await TestClient.open(instance.url);
        client.sendRaw(frame);
        expect(await client.closed).toMatchObject({ code: 1009 });
        expect(client.frames).toMatchObject([{ type: 'error', code: 'frame_too_large', retryable: false }]);
      }),
      { numRuns: OVERSIZE_FRAMES },
    );

    expect(await commits()).toBe(before.commits);
    expect(instance.logs.slice(logs)).toEqual([]);
    expect((await residentBytes()) - before.bytes).toBeLessThan(GROWTH_MAX_BYTES);
    for (const client of clients) {
      client.message('afterwards', 'Are you well?');
      expect(await client.completed('afterwards')).toMatchObject({ type: 'turn.completed' });
      await client.close();
    }
    await (await chat()).close();
  });

  it('five junk frames in a row close the connection with 1008; a good frame in between resets the count', async () => {
    const client = await TestClient.greet(instance.url);
    expect(await answersTo(client, ['{', '[', '"', 'x'])).toHaveLength(4);
    for (let count = 0; count < 5; count += 1) client.sendRaw('{');
    expect(await client.closed).toMatchObject({ code: 1008 });
    const codes = client.frames.flatMap((frame) => (frame.type === 'error' ? [frame.code] : []));
    expect(codes).toEqual([...Array(9).fill('bad_frame'), 'too_many_bad_frames']);
  });

  it('a frame of the maximum size is read, and one of a byte more is too large', async () => {
    const client = await TestClient.greet(instance.url);
    const frame = { type: 'ping', nonce: 'n', junk: '' };
    const filled = (bytes: number) =>
      JSON.stringify({ ...frame, junk: 'x'.repeat(bytes - JSON.stringify(frame).length) });
    expect(await answersTo(client, [filled(64 * 1024)])).toMatchObject([
      { type: 'error', code: 'bad_frame' },
    ]);
    client.sendRaw(filled(64 * 1024 + 1));
    expect(await client.closed).toMatchObject({ code: 1009 });
  });

  it('a text frame that is not UTF-8, or far too large, makes the WebSocket library cut the connection', async () => {
    // RFC 6455 wants a failed connection here; uWebSockets.js sends no close frame, so the client sees 1006.
    for (const data of [Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), Buffer.alloc(1024 * 1024, 0x78)]) {
      const socket = new WebSocket(instance.url);
      await once(socket, 'open');
      socket.on('error', () => {});
      const closed = once(socket, 'close') as Promise<[number, Buffer]>;
      socket.send(data, { binary: false });
      expect((await closed)[0]).toBe(1006);
    }
    await (await chat()).close();
  });

  it('half a character is accepted in a message text but refused in an id, where two ids would become one', async () => {
    const client = await TestClient.greet(instance.url);
    client.sendRaw('{"type":"message","id":"half-\\ud83e","content":"whole"}');
    expect(await client.waitForType('error')).toMatchObject({ code: 'bad_frame' });
    client.sendRaw('{"type":"message","id":"whole","content":"one half \\udd75 of a pair"}');
    expect(await client.waitForType('turn.completed')).toMatchObject({ finish_reason: 'stop' });
    await client.close();
  });
});
