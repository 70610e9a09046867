/**
 * The current code serves stores that commit 128dc98 wrote, also in the middle of a turn.
 * test/fixtures/stored-before/README.md says how they were written.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { DurableFrame } from '../../src/protocol/server-frames.ts';
import { TestClient } from '../support/instance/client.ts';
import { get } from '../support/instance/http.ts';
import { type Environment, startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { countUp, eventually, plainAnswer, type Said, textOf } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

interface StoredSession {
  readonly session_id: string;
  readonly user_id: string | null;
  /** The frames as the earlier commit stored them. */
  readonly frames: readonly string[];
  readonly transcript: readonly (Said & { readonly turn_id: string })[];
  /** The message whose turn runs. */
  readonly runs: string | null;
  readonly waiting: readonly { readonly message_ids: readonly string[]; readonly content: string }[];
  readonly share?: { readonly share_id: string; readonly user_id: string; readonly expires_at: number };
}

const names = ['idle', 'cancelled', 'shared', 'running', 'queued'] as const;

interface Stored {
  readonly writtenAt: number;
  /** The environment that an instance needs to read this store. */
  readonly environment: Environment;
  readonly sessions: Readonly<Record<(typeof names)[number], StoredSession>>;
}

const fixtures = new URL('../fixtures/stored-before/', import.meta.url);
const fileOf = (name: string): string => fileURLToPath(new URL(name, fixtures));
/** Later than every lease in the stores, sooner than every deadline. */
const SERVED_AFTER_MS = 600_000;

/** A copy of a store, and the environment in which an instance serves it. */
async function serve(name: string, { environment, writtenAt }: Stored) {
  const dir = mkdtempSync(join(tmpdir(), 'rehydra-stored-'));
  const clock = {
    NODE_OPTIONS: `--import ${new URL('clock.mjs', fixtures)}`,
    CLOCK_STARTS_AT: `${writtenAt + SERVED_AFTER_MS}`,
  };
  const remove = () => rmSync(dir, { recursive: true, force: true });
  if (name === 'sqlite') {
    cpSync(fileOf(name), dir, { recursive: true });
    return { environment: { ...environment, ...clock, DATA_DIR: dir }, stop: remove };
  }
  cpSync(fileOf(`${name}.rdb`), join(dir, 'dump.rdb'));
  const redis = await startRedis({ dir });
  const stop = async () => {
    await redis.stop();
    remove();
  };
  return { environment: { ...environment, ...clock, REDIS_URL: redis.url }, stop };
}

const typeOf = (frame: string): string => (JSON.parse(frame) as DurableFrame).type;
const userOf = ({ user_id }: StoredSession) => (user_id === null ? {} : { user_id });
const historyOf = ({ transcript }: StoredSession): Said[] =>
  transcript.map(({ role, content }) => ({ role, content }));

describe.each(['redis', 'redis-sealed', 'sqlite'])('the store %s of commit 128dc98', (name) => {
  const stored = JSON.parse(readFileSync(fileOf(`${name}.json`), 'utf8')) as Stored;
  const { sessions } = stored;
  const [simulator, place] = started(
    () => startSimulatorProcess({ SIMULATOR_TOKENS: '40', SIMULATOR_TOKENS_PER_SECOND: '0' }),
    () => serve(name, stored),
  );
  const [instance] = started(() => startInstance({ ...place.environment, VLLM_BASE_URL: simulator.url }));

  const enter = (session: StoredSession, as = userOf(session)) =>
    TestClient.greet(instance.url, { session_id: session.session_id, after: 0, ...as });

  /** The stored frames as bytes, as a client receives them that resumes after 0. */
  async function replayed({ session_id, frames }: StoredSession, as: object): Promise<readonly string[]> {
    const socket = new WebSocket(instance.url);
    const received: string[] = [];
    socket.on('open', () => socket.send(JSON.stringify({ type: 'hello', session_id, after: 0, ...as })));
    socket.on('message', (data) => received.push(data.toString()));
    const replay = () => received.filter((frame) => typeOf(frame) !== 'welcome');
    await eventually('the replay', replay, ({ length }) => length >= frames.length);
    socket.close();
    return replay().slice(0, frames.length);
  }

  /** Waits for the end of every turn that the earlier commit left waiting. */
  async function waitedFor(client: TestClient, { waiting }: StoredSession): Promise<void> {
    for (const { message_ids } of waiting)
      expect(await client.completed(message_ids.at(-1) ?? '')).toMatchObject({ type: 'turn.completed' });
  }

  it.each(names)('replays the frames of an earlier commit byte for byte and in order: %s', async (which) => {
    const session = sessions[which];
    expect(await replayed(session, userOf(session))).toEqual(session.frames);
  });

  it.each(names)('serves the transcript of an earlier commit over HTTP: %s', async (which) => {
    const { session_id, transcript } = sessions[which];
    const { status, body } = await get(`${instance.http}/api/session/${session_id}/transcript`);
    expect(status).toBe(200);
    const served = (body as { readonly transcript: readonly unknown[] }).transcript;
    expect(served.slice(0, transcript.length)).toEqual(transcript);
  });

  it('lists the sessions of an earlier commit, all and by user', async () => {
    const idsAt = async (query: string) => {
      const { body } = await get(`${instance.http}/api/sessions${query}`);
      return (body as { readonly sessions: readonly StoredSession[] }).sessions.map((one) => one.session_id);
    };
    const all = Object.values(sessions).map(({ session_id }) => session_id);
    expect((await idsAt('')).toSorted()).toEqual(all.toSorted());
    for (const { session_id, user_id } of Object.values(sessions))
      if (user_id !== null) expect(await idsAt(`?user_id=${user_id}`)).toEqual([session_id]);
  });

  it.each(['running', 'queued'] as const)(
    'finishes a turn that an earlier commit left running, without a gap or a repeat in its text: %s',
    async (which) => {
      const session = sessions[which];
      const client = await enter(session);
      const end = await client.completed(session.runs ?? '');
      if (end.type !== 'turn.completed') throw new Error(`the turn ended with ${end.type}`);
      expect(end.metadata.resumed).toBeGreaterThanOrEqual(1);
      const before = textOf(
        session.frames.map((frame) => JSON.parse(frame) as DurableFrame),
        end.turn_id,
      );
      const whole = await plainAnswer(simulator.url, historyOf(session));
      expect(client.turnText(end.turn_id)).toBe(whole);
      expect(whole.startsWith(before) && whole.length > before.length && before !== '').toBe(true);
      const starts = client.durable.filter((frame) => frame.type === 'turn.started');
      expect(starts.filter((frame) => frame.turn_id === end.turn_id)).toHaveLength(1);
      expect(client.offsets()).toEqual(countUp(1, client.durable.length));
      await client.close();
    },
  );

  it('runs the messages that an earlier commit left waiting in their order, merged ones as one turn', async () => {
    for (const session of [sessions.queued, sessions.shared]) {
      const client = await enter(session);
      await waitedFor(client, session);
      const starts = client.durable
        .slice(session.frames.length)
        .filter(({ type }) => type === 'turn.started');
      expect(starts).toMatchObject(
        session.waiting.map(({ content, message_ids }) => ({
          content,
          message_id: message_ids.at(-1),
          ...(message_ids.length > 1 ? { message_ids } : {}),
        })),
      );
      expect(client.offsets()).toEqual(countUp(1, client.durable.length));
      await client.close();
    }
  });

  it.each(['idle', 'cancelled'] as const)(
    'refuses a message id that an earlier commit took, and answers the next message from the whole conversation: %s',
    async (which) => {
      const session = sessions[which];
      const [old] = session.frames.flatMap((frame) => {
        const { type, message_id } = JSON.parse(frame) as { type: string; message_id?: string };
        return type === 'turn.started' && message_id !== undefined ? [message_id] : [];
      });
      const client = await enter(session);
      client.message(old ?? '', 'Again');
      expect(await client.refused(old ?? '')).toMatchObject({ code: 'duplicate_message' });
      const content = 'What did I tell you?';
      client.message('next', content);
      const end = await client.completed('next');
      const history: readonly Said[] = [...historyOf(session), { role: 'user', content }];
      expect(client.turnText(end.turn_id)).toBe(await plainAnswer(simulator.url, history));
      expect(client.offsets()).toEqual(countUp(1, client.durable.length));
      await client.close();
    },
  );

  it('lets a reader whom an earlier commit invited read and not write, and no stranger in', async () => {
    const { shared } = sessions;
    const { share_id, user_id, expires_at } = shared.share!;
    const { body } = await get(`${instance.http}/api/session/${shared.session_id}/shares`);
    expect(body).toMatchObject({ shares: [{ share_id, user_id, access: 'read', expires_at }] });
    expect(await replayed(shared, { user_id })).toEqual(shared.frames);
    const reader = await enter(shared, { user_id });
    reader.message('mine', 'May I?');
    expect(await reader.refused('mine')).toMatchObject({ code: 'forbidden' });
    await reader.close();
    const stranger = await TestClient.open(instance.url);
    stranger.send({ type: 'hello', session_id: shared.session_id, user_id: 'dr-stranger' });
    expect(await stranger.closed).toMatchObject({ code: 4003 });
  });

  it('archives the patient and the transcript of an earlier commit when an operator ends the session', async () => {
    const { session_id, transcript, waiting } = sessions.shared;
    const client = await enter(sessions.shared);
    await waitedFor(client, sessions.shared);
    await client.close();
    const url = `${instance.http}/api/session/${session_id}`;
    expect((await get(url, { method: 'DELETE' })).status).toBe(200);
    const { body } = await get(`${instance.http}/api/archive/${session_id}`);
    expect(body).toMatchObject({
      lives: [
        {
          user_id: 'dr-owner',
          patient: { age: { years: 60 }, chief_complaints: ['chest pain'] },
          transcript: [...transcript, ...waiting.flatMap(({ content }) => [{ content }, {}])],
        },
      ],
    });
  });
});
