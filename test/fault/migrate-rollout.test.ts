/** Moves from one Redis to another without downtime: the share rises and falls under load, and no session is lost. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRedisStore } from '../../src/store/redis/open.ts';
import { TestClient } from '../support/instance/client.ts';
import {
  type Instance,
  type SimulatorProcess,
  startInstance,
  startSimulatorProcess,
} from '../support/instance/instance.ts';
import { MOVE_OPTIONS } from '../support/instance/migration.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';

const WORKERS = 6;
const TURN_WITHIN_MS = 4_000;
const PHASE_SESSIONS = 30;

interface Talk {
  readonly sessionId: string;
  /** The share of every instance at its creation; null during a rolling restart. */
  readonly madeAt: number | null;
  turns: number;
  /** The service's last count of turns. */
  counted: number;
  busy: boolean;
}

describe('a rollout under load', () => {
  let oldRedis: RedisServer;
  let newRedis: RedisServer;
  let simulator: SimulatorProcess;
  const instances: Instance[] = [];
  const talks: Talk[] = [];
  const lost: string[] = [];
  let share: number | null = null;
  let stopping = false;

  beforeAll(async () => {
    [oldRedis, newRedis, simulator] = await Promise.all([
      startRedis(),
      startRedis(),
      startSimulatorProcess({ SIMULATOR_TOKENS: '20', SIMULATOR_TOKENS_PER_SECOND: '0' }),
    ]);
  });
  afterAll(async () => {
    stopping = true;
    await Promise.all(instances.map((instance) => instance.stop()));
    await Promise.all([simulator?.stop(), oldRedis?.stop(), newRedis?.stop()]);
  });

  const start = (percent: number) =>
    startInstance({
      REDIS_URL: oldRedis.url,
      STORE_ROLLOUT_URL: newRedis.url,
      STORE_ROLLOUT: String(percent),
      VLLM_BASE_URL: simulator.url,
      LEASE_MS: '1000',
      DRAIN_MS: '2000',
      LOG_LEVEL: 'info',
    });

  /** One instance after the other, like an operator; clients go on meanwhile. */
  async function roll(percent: number): Promise<void> {
    share = null;
    for (const slot of [0, 1]) {
      const former = instances[slot];
      instances[slot] = await start(percent);
      await former?.stop();
    }
    share = percent;
  }

  /** One turn, through any loss of its connection or instance. */
  async function turn(talk: Talk): Promise<void> {
    const id = `m-${talk.turns + 1}`;
    for (;;) {
      const instance = instances[Math.floor(Math.random() * instances.length)]!;
      let client: TestClient | null = null;
      try {
        client = await TestClient.greet(instance.url, { session_id: talk.sessionId, after: 0 });
        if (talk.turns > 0 && !client.welcome.resumed)
          lost.push(`${talk.sessionId} after ${talk.turns} turns`);
        client.message(id, `question ${id}`);
        const end = await client.completed(id, TURN_WITHIN_MS);
        await client.close();
        expect(end.type).toBe('turn.completed');
        talk.turns += 1;
        if (end.type === 'turn.completed') talk.counted = end.metadata.conversation_count;
        return;
      } catch {
        // The instance restarts: try another one, or its successor.
        if (stopping) return;
        client?.drop();
        await sleep(50);
      }
    }
  }

  async function work(): Promise<void> {
    while (!stopping) {
      const idle = talks.filter((talk) => !talk.busy);
      const before = share;
      let talk = idle[Math.floor(Math.random() * idle.length)];
      const isNew = talk === undefined || Math.random() < 0.4;
      if (isNew || talk === undefined) {
        talk = { sessionId: randomUUID(), madeAt: before, turns: 0, counted: 0, busy: true };
        await turn(talk);
        talks.push({ ...talk, madeAt: share === before ? before : null, busy: false });
        continue;
      }
      talk.busy = true;
      await turn(talk);
      talk.busy = false;
    }
  }

  const madeAt = (percent: number) => talks.filter((talk) => talk.madeAt === percent);

  it('a rollout under load at 30 %, then 0 %, then 100 %, keeps every session in its store and loses none', async () => {
    await roll(30);
    const workers = Array.from({ length: WORKERS }, () => work());
    for (const percent of [30, 0, 100]) {
      if (share !== percent) await roll(percent);
      await expect
        .poll(() => madeAt(percent).length, { timeout: 120_000, interval: 100 })
        .toBeGreaterThan(PHASE_SESSIONS);
    }
    stopping = true;
    await Promise.all(workers);
    stopping = false;
    // Every client once more, with all instances at 100 %.
    await Promise.all(
      Array.from({ length: WORKERS }, async (_, worker) => {
        for (let n = worker; n < talks.length; n += WORKERS) await turn(talks[n]!);
      }),
    );
    expect(lost).toEqual([]);
    for (const talk of talks) expect(talk.counted, talk.sessionId).toBe(talk.turns);

    const old = await openRedisStore({ ...MOVE_OPTIONS, url: oldRedis.url });
    const newer = await openRedisStore({ ...MOVE_OPTIONS, url: newRedis.url });
    const places = new Map<string, 'old' | 'new' | 'both' | 'neither'>();
    for (const { sessionId } of talks) {
      const inOld = (await old.read(sessionId)) !== null;
      const inNew = (await newer.read(sessionId)) !== null;
      places.set(sessionId, inOld && inNew ? 'both' : inOld ? 'old' : inNew ? 'new' : 'neither');
    }
    await old.close();
    await newer.close();
    const placesOf = (percent: number) =>
      new Set(madeAt(percent).map(({ sessionId }) => places.get(sessionId)));
    expect(placesOf(30)).toEqual(new Set(['old', 'new']));
    expect(placesOf(0)).toEqual(new Set(['old']));
    expect(placesOf(100)).toEqual(new Set(['new']));
    expect([...places.values()].filter((place) => place === 'both' || place === 'neither')).toEqual([]);
  });
});
