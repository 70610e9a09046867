/**
 * Before hello an instance takes few and small frames, refuses each without a call to the store, and closes the socket at
 * the deadline.
 */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HELLO_DEADLINE_MS, HELLO_MAX_BYTES } from '../../../src/protocol/client-frames.ts';
import type { Store } from '../../../src/store/contract.ts';
import { HELLO_QUEUE_MAX, openStage, type Stage } from '../../support/actor/stage.ts';
import { TestClient } from '../../support/instance/client.ts';
import { startInstance } from '../../support/instance/instance.ts';
import { eventually, witness } from '../../support/instance/observed.ts';
import { startRedis } from '../../support/instance/redis-server.ts';
import { started } from '../../support/instance/started.ts';
import { headOf, sendRaw } from './raw-http.ts';

const EARLY = [
  { type: 'message', id: 'm', content: 'Good morning' },
  { type: 'regenerate', id: 'm' },
  { type: 'fork', id: 'f' },
  { type: 'cancel' },
  { type: 'extend' },
  { type: 'close' },
] as const;

describe('before hello', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(async () => {
    await stage.close();
  });

  it('before hello every frame but ping is refused without a call to the store', async () => {
    const before = stage.calls.length;
    for (const frame of EARLY) {
      const visitor = stage.connect();
      visitor.say(frame);
      visitor.say({ type: 'ping', nonce: 'n' });
      visitor.sayRaw('{');
      await stage.settle();
      expect(visitor.frames).toMatchObject([
        { type: 'error', code: 'hello_required', retryable: false },
        { type: 'pong', nonce: 'n' },
        { type: 'error', code: 'bad_frame' },
      ]);
      expect(visitor.closed).toBeNull();
    }
    expect(stage.calls.length).toBe(before);
  });

  it('the third frame of a client may be its hello, and the fourth frame without one closes the socket with 1008', async () => {
    const late = stage.connect();
    late.say({ type: 'ping' });
    late.say({ type: 'extend' });
    late.say({ type: 'hello' });
    await stage.settle();
    expect(late.frames.map(({ type }) => type)).toEqual(['pong', 'error', 'welcome']);

    const talker = stage.connect();
    for (let count = 0; count < 4; count += 1) talker.say({ type: 'ping' });
    expect(talker.closed).toEqual({ code: 1008, reason: 'too_many_bad_frames' });
    expect(talker.frames.map(({ type }) => type)).toEqual(['pong', 'pong', 'pong', 'error']);
    talker.say({ type: 'hello' });
    await stage.settle();
    expect(talker.frames).toHaveLength(4);
  });

  it('a frame of 16 KiB is read before hello; a larger one, a hello too, closes the socket with 1009', async () => {
    const hello = (bytes: number) => {
      const empty = { type: 'hello', patient: { notes: '' } };
      return { ...empty, patient: { notes: 'x'.repeat(bytes - JSON.stringify(empty).length) } };
    };
    const fits = stage.connect();
    fits.say(hello(HELLO_MAX_BYTES));
    await stage.settle();
    expect(fits.frames[0]).toMatchObject({ type: 'welcome' });
    const before = stage.calls.length;
    const large = stage.connect();
    large.say(hello(HELLO_MAX_BYTES + 1));
    await stage.settle();
    expect(large.closed).toEqual({ code: 1009, reason: 'frame_too_large' });
    expect(stage.calls.length).toBe(before);
    // After its hello the client may send the largest frames.
    fits.say({ type: 'message', id: 'm', content: 'x'.repeat(60_000) });
    await stage.settle();
    expect(fits.closed).toBeNull();
  });

  it('traffic before hello does not move the hello deadline, at which the socket closes with 4008', async () => {
    const visitor = stage.connect();
    for (const type of ['ping', 'extend', 'ping']) {
      await stage.advance(HELLO_DEADLINE_MS / 4);
      visitor.say({ type });
    }
    expect(visitor.closed).toBeNull();
    await stage.advance(HELLO_DEADLINE_MS / 4);
    expect(visitor.closed).toMatchObject({ code: 4008 });
    expect(visitor.frames.at(-1)).toMatchObject({ type: 'error', code: 'hello_timeout', retryable: true });
    const frames = visitor.frames.length;
    visitor.say({ type: 'hello' });
    await stage.settle();
    expect(visitor.frames).toHaveLength(frames);
  });

  it('a hello that is refused and sent again does not move the hello deadline', async () => {
    const away = (store: Store): Store => ({ ...store, watch: () => Promise.reject(new Error('away')) });
    const outage = await openStage({ wrap: away });
    const visitor = outage.connect();
    for (const _ of ['first', 'second', 'third']) {
      await outage.advance(HELLO_DEADLINE_MS / 4);
      visitor.say({ type: 'hello' });
      await outage.settle();
      expect(visitor.frames.at(-1)).toMatchObject({ code: 'store_unavailable', retryable: true });
    }
    await outage.advance(HELLO_DEADLINE_MS / 4);
    expect(visitor.closed).toMatchObject({ code: 4008 });
    await outage.close();
  });

  it('a hello that is refused after the deadline closes the socket with 4008; one that is accepted then does not', async () => {
    let isAway = true;
    const answers: (() => void)[] = [];
    const slow = (store: Store): Store => ({
      ...store,
      async watch(sessionId) {
        await new Promise<void>((resolve) => answers.push(resolve));
        if (isAway) throw new Error('away');
        return store.watch(sessionId);
      },
    });
    const outage = await openStage({ wrap: slow });
    for (const code of [4008, undefined]) {
      const visitor = outage.connect();
      visitor.say({ type: 'hello' });
      await outage.settle();
      await outage.advance(2 * HELLO_DEADLINE_MS);
      expect(visitor.closed).toBeNull();
      answers.pop()?.();
      await outage.settle();
      await outage.advance(1);
      expect(visitor.closed?.code).toBe(code);
      isAway = false;
    }
    await outage.close();
  });

  it('above the maximum of sockets without a hello the oldest gives way, and clients that say hello get in', async () => {
    const idle = Array.from({ length: HELLO_QUEUE_MAX }, () => stage.connect());
    const honest = stage.connect();
    expect(idle[0]?.closed).toMatchObject({ code: 1013 });
    expect(idle[0]?.frames).toMatchObject([{ code: 'overloaded', retryable: true, retry_after_ms: 100 }]);
    honest.say({ type: 'hello' });
    await stage.settle();
    expect(honest.frames[0]).toMatchObject({ type: 'welcome' });
    for (let count = 0; count < 3 * HELLO_QUEUE_MAX; count += 1) idle.push(stage.connect());
    expect(idle.filter(({ closed }) => closed === null)).toHaveLength(HELLO_QUEUE_MAX);
    expect(honest.closed).toBeNull();
  });

  it('a client that said hello has no hello deadline any more', async () => {
    const visitor = stage.connect();
    visitor.say({ type: 'hello' });
    await stage.advance(2 * HELLO_DEADLINE_MS);
    expect(visitor.frames[0]).toMatchObject({ type: 'welcome', resumed: false });
    expect(visitor.closed).toBeNull();
  });

  it('a second hello is refused and changes nothing', async () => {
    const visitor = stage.connect();
    visitor.say({ type: 'hello' });
    await stage.settle();
    const before = stage.calls.length;
    visitor.say({ type: 'hello', session_id: '3e1f0c52-6c1c-4b62-9a5e-0b6d1f0f4a11' });
    await stage.settle();
    expect(visitor.frames.at(-1)).toMatchObject({ type: 'error', code: 'hello_repeated', retryable: false });
    expect(stage.calls.length).toBe(before);
    expect(visitor.closed).toBeNull();
  });

  it('frames that a client sends before its welcome wait for it, in order and within a bound', async () => {
    const patient = stage.connect();
    patient.say({ type: 'hello', after: 0 });
    patient.say({ type: 'message', id: 'm', content: 'Good morning' });
    patient.say({ type: 'ping' });
    await stage.settle();
    expect(stage.generator.runs).toHaveLength(1);
    expect(patient.closed).toBeNull();

    const hasty = stage.connect();
    hasty.say({ type: 'hello' });
    for (let count = 0; count < 65; count += 1) hasty.say({ type: 'extend' });
    expect(hasty.closed).toMatchObject({ code: 1013 });

    const large = stage.connect();
    large.say({ type: 'hello' });
    for (const id of ['a', 'b']) large.say({ type: 'message', id, content: 'x'.repeat(60_000) });
    expect(large.closed).toMatchObject({ code: 1013 });
  });

  it('a frame that names a prototype pollutes no other object', async () => {
    const visitor = stage.connect();
    visitor.say({ type: 'hello', after: 0 });
    for (const key of ['__proto__', 'constructor', 'prototype'])
      for (const place of [
        `"${key}":{"polluted":1}`,
        `"patient":{"${key}":{"polluted":1,"prototype":{"polluted":1}}}`,
      ])
        visitor.sayRaw(`{"type":"message","id":"${key}","content":"a",${place}}`);
    await stage.settle();
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    expect(Reflect.get(Object, 'polluted')).toBeUndefined();
    expect(Reflect.get(() => {}, 'polluted')).toBeUndefined();
    const codes = visitor.frames.flatMap((frame) => (frame.type === 'error' ? [frame.code] : []));
    expect(codes.filter((code) => code === 'bad_frame')).toHaveLength(3);
  });
});

describe('before hello on a real socket', () => {
  const [redis] = started(startRedis);
  const [instance] = started(() => startInstance({ REDIS_URL: redis.url, LEASE_MS: '120000' }));
  const [seen] = started(() => witness(redis.url));

  it('a thousand frames before hello cost Redis no command', async () => {
    const clients = await Promise.all(Array.from({ length: 334 }, () => TestClient.open(instance.url)));
    await seen.caughtUp();
    const isSweep = (words: readonly string[]) => words.some((word) => word.endsWith(':due'));
    const asked = () => seen.calls.filter((words) => words[0]?.toLowerCase() !== 'echo' && !isSweep(words));
    const before = asked().length;
    const [message, cancel, extend] = EARLY;
    for (const client of clients) for (const frame of [message, cancel, extend]) client.send(frame);
    const early = (client: TestClient) => client.frames.filter(({ type }) => type === 'error');
    await eventually(
      'every refusal',
      () => clients.flatMap(early).length,
      (count) => count === 3 * clients.length,
    );
    await seen.caughtUp();
    // Each check opens a connection of its own, which sends these commands.
    const named = asked()
      .slice(before)
      .filter(([command]) => !/^(info|client|hello|select)$/i.test(command ?? ''));
    expect(named).toEqual([]);
    await Promise.all(clients.map((client) => client.close()));
  });

  it.each([
    [['rehydra.v1'], 'rehydra.v1'],
    [['other', 'rehydra.v1'], 'rehydra.v1'],
    [[], ''],
  ])('of the offered sub-protocols %j the server selects "%s"', async (offered, taken) => {
    const client = await TestClient.open(instance.url, offered);
    expect(client.protocol).toBe(taken);
    await client.close();
  });

  it('a client that offers compression gets a socket without it', async () => {
    const { text } = await sendRaw(
      instance.port,
      headOf(
        'GET',
        new URL(instance.url).pathname,
        'upgrade: websocket',
        'connection: upgrade',
        'sec-websocket-version: 13',
        `sec-websocket-key: ${randomBytes(16).toString('base64')}`,
        'sec-websocket-extensions: permessage-deflate; client_max_window_bits',
      ),
    );
    expect(text).toMatch(/^HTTP\/1\.1 101 /);
    expect(text.toLowerCase()).not.toContain('sec-websocket-extensions');
  });
});
