/** A transition costs one call of Redis, whatever it writes. The test counts the calls with MONITOR. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { eventually, metric, witness } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const MINUTE_MS = '120000';

describe('round trips to Redis per session', () => {
  const [redis] = started(startRedis);
  // Leases and hibernation are so long that only the conversation reaches Redis for its session.
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

  /** The calls so far that name the session. */
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

  /** Runs a turn, up to its last frame. */
  async function turn(client: TestClient, id: string): Promise<void> {
    client.message(id, `Message ${id}`);
    const { offset } = await client.completed(id);
    await client.waitFor((frame) => frame.type === 'state' && frame.offset > offset, `the state after ${id}`);
  }

  it('an owner makes exactly one call of Redis per transition or piece of text', async () => {
    const client = await TestClient.greet(instance.url, { after: 0 });
    // The first EVALSHA of a script may fail because this Redis does not know the script yet.
    for (const id of ['warm-up', 'warmer']) await turn(client, id);
    // Read outside the count: a request for metrics makes the instance read a sample of sessions.
    const writesBefore = await writes();
    const callsBefore = (await callsFor(client.sessionId)).length;
    for (const id of ['a', 'b', 'c', 'd']) await turn(client, id);
    client.send({ type: 'extend' });
    await client.waitForType('extended');

    const made = (await callsFor(client.sessionId)).slice(callsBefore);
    const written = (await writes()) - writesBefore;
    expect(made.map(([command]) => command?.toLowerCase())).toEqual(Array(made.length).fill('evalsha'));
    expect(made).toHaveLength(written);
    // Per turn a message, an end and the texts between, and the extension.
    expect(written).toBeGreaterThan(4 * 2 + 1);
    await client.close();
  });

  /** Runs the task on an instance whose session has hibernated after a turn; its client is still connected. */
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

  it('a hibernated session needs one call of Redis before it stores a message: the claim, with its lock and all its data', () =>
    besideSleeper(900, async (client) => {
      const before = (await callsFor(client.sessionId)).length;
      await turn(client, 'the-next-one');
      const made = (await callsFor(client.sessionId)).slice(before);
      const first = made.findIndex((words) => words.some((word) => word.includes('the-next-one')));
      expect(made.slice(0, first).map(([command]) => command?.toLowerCase())).toEqual(['evalsha']);
    }));

  it('a hibernated session with a connected client costs no call of Redis', async () => {
    const leaseMs = 1_200;
    await besideSleeper(leaseMs, async (client, drowsy) => {
      // Checks of a released lease happen within one lease.
      await sleep(2 * leaseMs);
      const before = (await callsFor(client.sessionId)).length;
      const beats = () => seen.calls.filter((words) => words.includes(drowsy.instanceId)).length;
      const beatsBefore = beats();
      await eventually('eight heartbeats of the instance', beats, (count) => count >= beatsBefore + 8);
      expect((await callsFor(client.sessionId)).slice(before)).toEqual([]);
    });
  });
});
