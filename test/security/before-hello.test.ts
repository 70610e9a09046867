/** Before hello an instance refuses every frame without a call to the store, and closes the socket at the deadline. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HELLO_DEADLINE_MS } from '../../src/protocol/client-frames.ts';
import { openStage, type Stage } from '../support/actor/stage.ts';
import { TestClient } from '../support/instance/client.ts';
import { startInstance } from '../support/instance/instance.ts';
import { witness } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const EARLY = [
  { type: 'message', id: 'm', content: 'Good morning' },
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
    const visitor = stage.connect();
    const before = stage.calls.length;
    for (const frame of EARLY) visitor.say(frame);
    visitor.say({ type: 'ping', nonce: 'n' });
    visitor.sayRaw('{');
    await stage.settle();
    expect(stage.calls.length).toBe(before);
    expect(visitor.frames).toMatchObject([
      ...EARLY.map(() => ({ type: 'error', code: 'hello_required', retryable: false })),
      { type: 'pong', nonce: 'n' },
      { type: 'error', code: 'bad_frame' },
    ]);
    expect(visitor.closed).toBeNull();
  });

  it('traffic before hello does not move the hello deadline, at which the socket closes with 4008', async () => {
    const visitor = stage.connect();
    for (let passedMs = 500; passedMs < HELLO_DEADLINE_MS; passedMs += 500) {
      await stage.advance(500);
      visitor.say({ type: 'ping' });
      visitor.say({ type: 'extend' });
    }
    expect(visitor.closed).toBeNull();
    await stage.advance(500);
    expect(visitor.closed).toMatchObject({ code: 4008 });
    expect(visitor.frames.at(-1)).toMatchObject({ type: 'error', code: 'hello_timeout', retryable: true });
    const frames = visitor.frames.length;
    visitor.say({ type: 'hello' });
    await stage.settle();
    expect(visitor.frames).toHaveLength(frames);
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
    const client = await TestClient.open(instance.url);
    await seen.caughtUp();
    const isSweep = (words: readonly string[]) => words.some((word) => word.endsWith(':due'));
    const asked = () => seen.calls.filter((words) => words[0]?.toLowerCase() !== 'echo' && !isSweep(words));
    const before = asked().length;
    for (let count = 0; count < 1_000 / EARLY.length; count += 1)
      for (const frame of EARLY) client.send(frame);
    client.send({ type: 'ping' });
    await client.waitForType('pong');
    await seen.caughtUp();
    // Each check opens a connection of its own, which sends these commands.
    const named = asked()
      .slice(before)
      .filter(([command]) => !/^(info|client|hello|select)$/i.test(command ?? ''));
    expect(named).toEqual([]);
    expect(client.frames.filter((frame) => frame.type === 'error')).toHaveLength(1_000);
    await client.close();
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
});
