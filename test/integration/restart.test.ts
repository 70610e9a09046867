/** A conversation on the embedded store survives a restart, and a hibernated session holds no lock in Redis. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { countUp, eventually, metric, tracesOf } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';

const FAST = { SIMULATOR_TOKENS_PER_SECOND: '0' };

describe('embedded store', () => {
  let dir: string;
  let instance: Instance;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'rehydra-data-'));
    instance = await startInstance({ ...FAST, DATA_DIR: dir });
  });
  afterEach(async () => {
    await instance.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  async function endCleanly(): Promise<void> {
    expect(await instance.stop()).toBe(0);
  }
  async function kill(): Promise<void> {
    instance.kill('SIGKILL');
    await instance.exited;
  }

  it.each([
    ['a clean end', endCleanly],
    ['SIGKILL', kill],
  ])(
    'an instance on the embedded store keeps a conversation over %s, and its client resumes after its last frame',
    async (_, end) => {
      const before = await TestClient.greet(instance.url, { after: 0 });
      const { sessionId } = before;
      before.message('first', 'My knee hurts since Tuesday');
      await before.completed('first');
      await end();
      await before.closed;

      instance = await startInstance({ ...FAST, DATA_DIR: dir });
      const after = before.durable.length;
      const client = await TestClient.greet(instance.url, { session_id: sessionId, after });
      expect(client.welcome).toMatchObject({ resumed: true, session_id: sessionId });
      client.message('first', 'My knee hurts since Tuesday');
      expect(await client.refused('first')).toMatchObject({ code: 'duplicate_message' });
      client.message('second', 'What did I tell you?');
      const { turn_id } = await client.completed('second');
      expect(client.turnText(turn_id)).toContain('My knee hurts since Tuesday');
      expect(client.offsets()).toEqual(countUp(after + 1, after + client.durable.length));
      await client.close();
    },
  );
});

describe('hibernation', () => {
  it('a hibernated session holds no lock and no memory, keeps its socket, and wakes with the next message', async () => {
    const redis = await startRedis();
    const instance = await startInstance({
      ...FAST,
      REDIS_URL: redis.url,
      HIBERNATE_MS: '100',
      LEASE_MS: '1200',
    });
    try {
      const client = await TestClient.greet(instance.url, { after: 0 });
      client.message('first', 'My knee hurts since Tuesday');
      await client.completed('first');
      const traces = () => tracesOf(redis.url, client.sessionId);
      const isLock = (key: string) => key.includes(':lock:');
      await eventually('the lock is given up', traces, (keys) => keys.length > 0 && !keys.some(isLock));
      const asleep = () => metric(instance.http, 'rehydra_resident_sessions');
      await eventually('no actor is left', asleep, (count) => count === 0);
      expect(await metric(instance.http, 'rehydra_connections')).toBe(1);

      const { epoch } = client.welcome;
      client.message('second', 'What did I tell you?');
      const end = await client.completed('second');
      expect(client.turnText(end.turn_id)).toContain('My knee hurts since Tuesday');
      expect(end.epoch).toBeGreaterThan(epoch);
      expect(client.offsets()).toEqual(countUp(1, client.durable.length));
      await client.close();
    } finally {
      await instance.stop();
      await redis.stop();
    }
  });
});
