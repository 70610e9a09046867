/** Faults of the Redis store alone: broken connections, a full server, and one write per event-loop turn. */

import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { bucketOf, type Hint, type Store } from '../../src/store/contract.ts';
import { storedFrame } from '../../src/store/log.ts';
import { sessionKeys } from '../../src/store/redis/keys.ts';
import { openRedisStore, type RedisStoreOptions } from '../../src/store/redis/open.ts';
import { startProxy, type TcpProxy } from '../support/instance/proxy.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import {
  appendOf,
  claimed,
  commitOf,
  created,
  expectCommitted,
  frames,
  freshId,
  OPTIONS,
  ownerless,
  until,
} from './store-fixture.ts';

let server: RedisServer;
let proxy: TcpProxy;
let admin: Redis;
let store: Store;
const opened: Store[] = [];

async function open(changes: Partial<RedisStoreOptions> = {}): Promise<Store> {
  const url = `redis://127.0.0.1:${proxy.port}`;
  const one = await openRedisStore({ ...OPTIONS, leaseMs: 20_000, url, commandTimeoutMs: 400, ...changes });
  opened.push(one);
  return one;
}

beforeAll(async () => {
  server = await startRedis();
  admin = new Redis(server.port, '127.0.0.1', { protocol: 2 });
  admin.on('error', () => {});
}, 60_000);
afterAll(async () => {
  admin?.disconnect();
  await server?.stop();
});
beforeEach(async () => {
  proxy = await startProxy(server.port);
  store = await open();
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await proxy.stop();
});

async function connections(): Promise<readonly string[]> {
  const lines = String(await admin.client('LIST')).split('\n');
  return lines.filter((line) => line.includes('name=rehydra-commit')).map((line) => line.split(' ')[0]!);
}

/** The session's version in Redis. */
async function storedVersion(sessionId: string): Promise<string | null> {
  return admin.hget(sessionKeys(sessionId).session, 'version');
}

async function callsOf(command: string): Promise<number> {
  const line = (await admin.info('commandstats'))
    .split('\r\n')
    .find((text) => text.startsWith(`cmdstat_${command}:`));
  return Number(/calls=(\d+)/.exec(line ?? '')?.[1] ?? 0);
}

describe('one write', () => {
  it('all calls of one event-loop turn go to Redis in one write', async () => {
    const sessions = await Promise.all(Array.from({ length: 20 }, () => created(store, 'a')));
    // Redis must know the scripts, or the batch also sends their texts.
    await store.append(sessions[0]!.fence, appendOf());
    proxy.resetCounts();
    await Promise.all(
      sessions
        .slice(1)
        .map(({ fence }, n) =>
          n % 2 === 0
            ? store.commit(fence, commitOf({ expectedVersion: 1, frames: frames(0, 1) }))
            : store.append(fence, appendOf({ frames: frames(0, 1) })),
        ),
    );
    expect(proxy.chunksUp).toBe(1);
  });

  it('a commit is one script call, and most commits touch no sorted set', async () => {
    const { sessionId, fence } = await created(store, 'a', { dueAt: 1_000 });
    const before = { scripts: await callsOf('evalsha'), due: await callsOf('zadd') };
    const commits = 25;
    for (let n = 0; n < commits; n += 1) {
      const dueAt = 1_000 + n;
      expectCommitted(
        await store.commit(
          fence,
          commitOf({ expectedVersion: n + 1, expectedHead: n, frames: frames(n, 1), dueAt }),
        ),
      );
    }
    expect((await callsOf('evalsha')) - before.scripts).toBe(commits);
    expect((await callsOf('zadd')) - before.due).toBe(0);
    expectCommitted(
      await store.commit(fence, commitOf({ expectedVersion: 26, expectedHead: 25, dueAt: 999 })),
    );
    expect((await callsOf('zadd')) - before.due).toBe(1);
    const due = `rehydra:{b${String(bucketOf(sessionId)).padStart(3, '0')}}:due`;
    expect(Number(await admin.zscore(due, sessionId))).toBe(999);
  });

  it('the batch repeats a call with the script text if Redis lost the script', async () => {
    const sessions = await Promise.all(Array.from({ length: 30 }, () => created(store, 'a')));
    await admin.script('FLUSH');
    const outcomes = await Promise.all(
      sessions.map(({ fence }) =>
        store.commit(fence, commitOf({ expectedVersion: 1, frames: frames(0, 1) })),
      ),
    );
    for (const outcome of outcomes) expectCommitted(outcome);
    expect(await claimed(store, freshId(), 'a')).toMatchObject({ record: null });
  });
});

describe('keys that are not as the store left them', () => {
  it('under the lock of an unknown claim, Redis fences the old owner and names none', async () => {
    const { sessionId, fence } = await created(store, 'a');
    const tag = `rehydra:{b${String(bucketOf(sessionId)).padStart(3, '0')}}:`;
    await admin.set(`${tag}lock:${sessionId}`, 'the-new-owner', 'PX', 5_000);
    expect(await store.commit(fence, commitOf({ expectedVersion: 1 }))).toEqual({ kind: 'fenced' });
    expect(await store.commit(fence, commitOf({ expectedVersion: 1, end: true }))).toEqual({
      kind: 'fenced',
    });
    expect(await store.append(fence, appendOf())).toEqual({ kind: 'fenced' });
    expect(await store.renew(fence)).toEqual({ kind: 'fenced' });
    expect(await store.release(fence, false)).toEqual({ kind: 'fenced' });
    expect(await store.push(sessionId, 'x')).toEqual({ kind: 'pushed', owner: null });
    expect(await store.claim(sessionId, 'b')).toMatchObject({ kind: 'held', instance: null });
    expect(await admin.get(`${tag}lock:${sessionId}`)).toBe('the-new-owner');
  });

  it('a claim is one script call, and so is one that finds the session held', async () => {
    const { sessionId, fence } = await created(store, 'a');
    const before = await callsOf('evalsha');
    await claimed(store, freshId(), 'a');
    expect((await callsOf('evalsha')) - before).toBe(1);
    const held = await store.claim(sessionId, 'b');
    expect(held).toMatchObject({ kind: 'held', instance: 'a', leaseLeftMs: expect.any(Number) });
    expect((await callsOf('evalsha')) - before).toBe(2);
    expectCommitted(await store.commit(fence, commitOf({ expectedVersion: 1 })));
  });

  it('a claim whose reply was lost leaves no lock once the connection is back', async () => {
    const sessionId = freshId();
    const lock = sessionKeys(sessionId).lock;
    proxy.loseReplies();
    const lost = store.claim(sessionId, 'a').catch((error: unknown) => error);
    expect(await lost).toMatchObject({ code: 'STORE_TIMEOUT' });
    // The line loses replies only: redlock's unlock reached Redis.
    await expect.poll(() => admin.exists(lock)).toBe(0);
    proxy.cut();
    await expect.poll(async () => (await store.health()).ok).toBe(true);
    expect(await claimed(store, sessionId, 'b')).toMatchObject({ record: null });
  });

  it('a late ending does not break the lock of the next claim of its id', async () => {
    const { sessionId, fence } = await created(store, 'a');
    expectCommitted(await store.commit(fence, commitOf({ expectedVersion: 1, end: true })));
    const lock = `rehydra:{b${String(bucketOf(sessionId)).padStart(3, '0')}}:lock:${sessionId}`;
    await admin.set(lock, 'the-new-owner', 'PX', 5_000);
    expect(await store.commit(fence, commitOf({ expectedVersion: 1, end: true }))).toEqual({
      kind: 'fenced',
    });
    expect(await store.release(fence, false)).toEqual({ kind: 'fenced' });
    expect(await admin.get(lock)).toBe('the-new-owner');
  });

  it('remains of a session whose hash was deleted do not join its successor', async () => {
    const { sessionId, fence } = await created(store, 'a', {
      frames: frames(0, 5),
      transcript: [{ role: 'user', content: 'old', turnId: 't', at: 1 }],
    });
    await store.push(sessionId, 'old');
    const tag = `rehydra:{b${String(bucketOf(sessionId)).padStart(3, '0')}}:`;
    await admin.del(`${tag}s:${sessionId}`);
    expect(await store.commit(fence, commitOf({ expectedVersion: 1, expectedHead: 5 }))).toEqual({
      kind: 'fenced',
    });
    await admin.del(`${tag}lock:${sessionId}`);
    const next = await claimed(store, sessionId, 'b');
    expect(next.record).toBeNull();
    expectCommitted(await store.commit(next.fence, commitOf({ frames: frames(0, 1) })));
    expect(await store.readLog(sessionId, 0, 10)).toEqual({ frames: frames(0, 1), first: 1, head: 1 });
    expect(await store.readTranscript(sessionId)).toEqual([]);
    expect(await store.readInbox(sessionId)).toEqual([]);
  });
});

describe('a line that breaks', () => {
  it('a broken connection rejects pending calls immediately, refuses new ones, and recovers without a restart', async () => {
    // A timeout longer than the test: everything below must settle without it.
    const patient = await open({ commandTimeoutMs: 10 * 60_000 });
    const { sessionId, fence } = await created(patient, 'a');
    proxy.loseReplies();
    const lost = patient.commit(fence, commitOf({ expectedVersion: 1 })).catch((error: unknown) => error);
    await expect.poll(() => storedVersion(sessionId)).toBe('2');
    proxy.refuse(true);
    proxy.cut();
    expect(await lost).toMatchObject({ code: 'STORE_UNAVAILABLE' });

    await expect(patient.read(sessionId)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(patient.claim(freshId(), 'a')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(patient.watch(freshId())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await patient.health()).toMatchObject({ ok: false });

    proxy.refuse(false);
    await expect.poll(async () => (await patient.health()).ok).toBe(true);
    expect(await patient.read(sessionId)).toMatchObject({ version: 2 });
  });

  it('a call to a silent Redis fails after the command timeout, and its connection closes soon after', async () => {
    const { sessionId } = await created(store, 'a');
    // The present connections stay open and silent; only a new one helps.
    proxy.loseReplies();
    await expect(store.read(sessionId)).rejects.toMatchObject({ code: 'STORE_TIMEOUT' });
    await expect.poll(() => store.read(sessionId).catch(() => null)).not.toBeNull();
  });

  it('after a reconnect the store subscribes again and hints every watcher', async () => {
    const { sessionId, fence } = await created(store, 'a');
    const hints: Hint[] = [];
    const signals: string[] = [];
    store.onHint((hint) => hints.push(hint));
    await store.watch(sessionId);
    await store.onSignal('me', (message) => signals.push(message));
    proxy.cut();
    await until(() => hints.length === 1);
    expect(hints).toEqual([{ kind: 'moved', sessionId }]);
    await expect.poll(async () => (await store.health()).ok).toBe(true);
    expectCommitted(await store.commit(fence, commitOf({ expectedVersion: 1, notify: true })));
    await store.signal('me', 'still there?');
    await until(() => hints.length === 2 && signals.length === 1);
  });

  it('the last unwatch of a bucket removes its subscription', async () => {
    const channels = async () => (await admin.call('PUBSUB', 'SHARDCHANNELS')) as string[];
    const [one, two] = [freshId(), freshId()];
    const before = (await channels()).length;
    await Promise.all([store.watch(one), store.watch(one), store.watch(two)]);
    expect(await channels()).toContain(`rehydra:{b${String(bucketOf(one)).padStart(3, '0')}}:ch`);
    store.unwatch(one);
    store.unwatch(two);
    store.unwatch(two);
    await expect.poll(async () => (await channels()).length).toBe(before);
  });
});

describe('a server in trouble', () => {
  it('the error of a Redis command contains none of the text that it should have written', async () => {
    const { fence } = await created(store, 'a');
    const write = {
      expectedVersion: 1,
      snapshot: 'canary-snapshot',
      frames: [storedFrame(1, 'canary-frame')],
    };
    await admin.config('SET', 'maxmemory', '1');
    const full = await store.commit(fence, commitOf(write)).catch((error: unknown) => error);
    await admin.config('SET', 'maxmemory', '0');
    proxy.refuse(true);
    proxy.loseReplies();
    const lost = store.commit(fence, commitOf(write)).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 20));
    proxy.cut();
    for (const error of [full, await lost]) {
      expect(error).toBeInstanceOf(Error);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/canary/);
    }
  });

  it('a full Redis refuses whole commits but lets sweepers claim and end sessions', async () => {
    const { sessionId, fence } = await created(store, 'a', { frames: frames(0, 1), dueAt: 5 });
    const other = await ownerless(store, { dueAt: 5 });
    await admin.config('SET', 'maxmemory', '1');
    try {
      const before = await store.read(sessionId);
      const refused = commitOf({
        expectedVersion: 1,
        expectedHead: 1,
        frames: frames(1, 1),
        messageIds: ['m'],
        dueAt: 1,
      });
      await expect(store.commit(fence, refused)).rejects.toMatchObject({ code: 'STORE_OOM' });
      await expect(
        store.append(fence, appendOf({ expectedHead: 1, frames: frames(1, 1) })),
      ).rejects.toMatchObject({
        code: 'STORE_OOM',
      });
      await expect(store.push(sessionId, 'x')).rejects.toMatchObject({ code: 'STORE_OOM' });
      expect(await store.read(sessionId)).toEqual(before);
      expect((await store.readLog(sessionId, 0, 10))?.frames).toHaveLength(1);

      expect((await store.sweep(bucketOf(other), Date.now(), 10, 1_000)).due).toContain(other);
      const sweeper = await claimed(store, other, 'sweeper');
      expectCommitted(await store.commit(sweeper.fence, commitOf({ expectedVersion: 1, end: true })));
      expect(await store.read(other)).toBeNull();
      expect(await store.renew(fence)).toMatchObject({ kind: 'renewed' });
      expect(await store.release(fence, false)).toEqual({ kind: 'released' });
    } finally {
      await admin.config('SET', 'maxmemory', '0');
    }
  });

  it('a write to a master that became a replica has its own error code, and the store reconnects to the next master', async () => {
    const { fence } = await created(store, 'a');
    await admin.replicaof('127.0.0.1', 1);
    try {
      const before = await connections();
      const late = store.commit(fence, commitOf({ expectedVersion: 1 }));
      await expect(late).rejects.toMatchObject({ code: 'STORE_READONLY' });
      // The address may lead to the new master by now.
      await expect.poll(async () => (await connections()).some((id) => !before.includes(id))).toBe(true);
    } finally {
      await admin.replicaof('NO', 'ONE');
    }
    await expect.poll(async () => (await store.health()).ok).toBe(true);
    expectCommitted(await store.commit(fence, commitOf({ expectedVersion: 1 })));
  });

  it('a Redis that came back empty fences every owner, and the log names the change', async () => {
    const said: string[] = [];
    const own = await startRedis();
    const one = await openRedisStore({
      ...OPTIONS,
      url: own.url,
      log: (_level, message) => said.push(message),
    });
    const { sessionId, fence } = await created(one, 'a');
    await own.restart();
    await expect.poll(async () => (await one.health()).ok).toBe(true);
    expect(await one.commit(fence, commitOf({ expectedVersion: 1 }))).toEqual({ kind: 'fenced' });
    expect(await one.append(fence, appendOf())).toEqual({ kind: 'fenced' });
    expect(await one.read(sessionId)).toBeNull();
    await until(() => said.some((message) => message.startsWith('another Redis process answers')));
    await one.close();
    await own.stop();
  });
});
