/** What a transition costs: one call of Redis, whatever it writes. Redis itself is the witness, by MONITOR. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/client.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { eventually, metric, witness } from '../support/observed.ts';
import { startRedis } from '../support/redis-server.ts';
import { started } from '../support/started.ts';

const MINUTE_MS = '120000';

describe('round trips to Redis', () => {
  const [redis] = started(startRedis);
  // Leases and sleep so long that nothing but the conversation itself reaches Redis for its session.
  const [instance] = started(() =>
    startInstance({
      REDIS_URL: redis.url,
      LEASE_MS: MINUTE_MS,
      HIBERNATE_MS: MINUTE_MS,
      SIMULATOR_TOKENS: '60',
      SIMULATOR_TOKENS_PER_SECOND: '200',
    }),
  );
  const [seen] = started(() => witness(redis.url));

  /** What was called so far that names the session. */
  async function callsFor(sessionId: string): Promise<readonly (readonly string[])[]> {
    await seen.caughtUp();
    return seen.calls.filter((words) => words.some((word) => word.includes(sessionId)));
  }

  async function writes(): Promise<number> {
    const [commits, appends] = await Promise.all([
      metric(instance.http, 'rehydra_commits_total'),
      metric(instance.http, 'rehydra_appends_total'),
    ]);
    return commits + appends;
  }

  /** A turn, up to its last frame. */
  async function turn(client: TestClient, id: string): Promise<void> {
    client.message(id, `Message ${id}`);
    const { offset } = await client.completed(id);
    await client.waitFor((frame) => frame.type === 'state' && frame.offset > offset, `the state after ${id}`);
  }

  it('are exactly one per transition or piece of text on an owner in its stride', async () => {
    const client = await TestClient.greet(instance.url, { after: 0 });
    // The first call of each script may find that this Redis does not know it yet.
    for (const id of ['warm-up', 'warmer']) await turn(client, id);
    // Asked before and after: whoever asks for metrics makes the instance look at a sample of sessions.
    const writesBefore = await writes();
    const callsBefore = (await callsFor(client.sessionId)).length;
    for (const id of ['a', 'b', 'c', 'd']) await turn(client, id);
    client.send({ type: 'extend' });
    // Refused once its turn has come, which is after the extension was stored.
    client.send({ type: 'cancel' });
    await client.waitForType('error');

    const made = (await callsFor(client.sessionId)).slice(callsBefore);
    const written = (await writes()) - writesBefore;
    expect(made.map(([command]) => command?.toLowerCase())).toEqual(Array(made.length).fill('evalsha'));
    expect(made).toHaveLength(written);
    // A message and an answer each, the extension, and the texts between.
    expect(written).toBeGreaterThan(4 * 2 + 1);
    await client.close();
  });

  /** On an instance where a session fell asleep after a turn; its client is still there. */
  async function besideSleeper(
    leaseMs: number,
    look: (client: TestClient, drowsy: Instance) => Promise<void>,
  ): Promise<void> {
    const drowsy = await startInstance({
      REDIS_URL: redis.url,
      LEASE_MS: String(leaseMs),
      HIBERNATE_MS: '100',
      SIMULATOR_TOKENS_PER_SECOND: '0',
    });
    try {
      const client = await TestClient.greet(drowsy.url, { after: 0 });
      await turn(client, 'a');
      const residents = () => metric(drowsy.http, 'rehydra_resident_sessions');
      await eventually('it sleeps', residents, (count) => count === 0);
      await look(client, drowsy);
      await client.close();
    } finally {
      await drowsy.stop();
    }
  }

  it('are two before a session that slept stores the next message: its lock, and itself with all it needs', () =>
    besideSleeper(900, async (client) => {
      const before = (await callsFor(client.sessionId)).length;
      await turn(client, 'the-next-one');
      const made = (await callsFor(client.sessionId)).slice(before);
      const first = made.findIndex((words) => words.some((word) => word.includes('the-next-one')));
      expect(made.slice(0, first).map(([command]) => command?.toLowerCase())).toEqual(['evalsha', 'evalsha']);
    }));

  it('are none for a session that sleeps, however long its client stays', async () => {
    const leaseMs = 1_200;
    await besideSleeper(leaseMs, async (client, drowsy) => {
      // Who looks after a lease that was given up does so within one lease.
      await sleep(2 * leaseMs);
      const before = (await callsFor(client.sessionId)).length;
      const beats = () => seen.calls.filter((words) => words.includes(drowsy.instanceId)).length;
      const beatsBefore = beats();
      await eventually('eight heartbeats of the instance', beats, (count) => count >= beatsBefore + 8);
      expect((await callsFor(client.sessionId)).slice(before)).toEqual([]);
    });
  });
});
