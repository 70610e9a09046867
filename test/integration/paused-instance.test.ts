/**
 * An instance that is away for longer than a lease counts as dead, and other instances detach its sockets. When it is
 * back, it must attach its clients again: without that, no instance would send it hints for them.
 */
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { startInstance } from '../support/instance/instance.ts';
import { countUp, eventually, metric, withRedis } from '../support/instance/observed.ts';
import { startProxy } from '../support/instance/proxy.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';
import { storedSnapshot } from '../support/instance/stored-snapshot.ts';

describe('instance that counts as dead', () => {
  const [redis] = started(startRedis);
  const [proxy] = started(() => startProxy(redis.port));
  const environment = { LEASE_MS: '1000', HIBERNATE_MS: '200', SIMULATOR_TOKENS: '30' };
  const [speakers, watchers] = started(
    () => startInstance({ ...environment, REDIS_URL: redis.url }),
    () => startInstance({ ...environment, REDIS_URL: `redis://127.0.0.1:${proxy.port}` }),
  );

  const attached = async (sessionId: string): Promise<readonly string[]> =>
    withRedis(redis.url, async (client) => {
      const snapshot = JSON.parse(await storedSnapshot(client, sessionId)) as {
        readonly context: { readonly attached: readonly string[] };
      };
      return snapshot.context.attached;
    });
  /** An instance that was paused measures a long event-loop delay, and refuses new clients for a second. */
  async function greet(url: string, hello: Parameters<typeof TestClient.greet>[1]): Promise<TestClient> {
    const welcomed = () => TestClient.greet(url, hello).catch(() => null);
    const client = await eventually('a welcome', welcomed, (one) => one !== null);
    if (client === null) throw new Error('no client was welcomed');
    return client;
  }

  const members = () => withRedis(redis.url, (client) => client.zrange('rehydra:instances', '0', '-1'));

  it.each([
    ['paused', () => watchers.kill('SIGSTOP'), () => watchers.kill('SIGCONT')],
    ['cut off from Redis', () => proxy.pause(), () => proxy.resume()],
  ])(
    'an instance that counted as dead because it was %s keeps its sockets, and its clients miss no frame',
    async (_, leave, back) => {
      const speaker = await greet(speakers.url, { after: 0 });
      const { sessionId } = speaker;
      const watcher = await greet(watchers.url, { session_id: sessionId, after: 0 });
      speaker.message('first', 'Good morning');
      await Promise.all([speaker.completed('first'), watcher.completed('first')]);
      const residents = async () =>
        (await metric(speakers.http, 'rehydra_resident_sessions')) +
        (await metric(watchers.http, 'rehydra_resident_sessions'));
      await eventually('the session sleeps', residents, (count) => count === 0);

      leave();
      await eventually(
        'the instance to count as dead',
        members,
        (alive) => !alive.includes(watchers.instanceId),
      );
      speaker.message('second', 'Anybody else?');
      await speaker.completed('second');
      await eventually(
        'it is crossed off',
        () => attached(sessionId),
        (list) => !list.includes(watchers.instanceId),
      );
      back();
      await eventually(
        'it is counted on',
        () => attached(sessionId),
        (list) => list.includes(watchers.instanceId),
      );

      speaker.message('third', 'And now?');
      await Promise.all([speaker.completed('third'), watcher.completed('third')]);
      expect(watcher.isOpen).toBe(true);
      expect(watcher.durable).toEqual(speaker.durable.slice(0, watcher.durable.length));
      expect(watcher.offsets()).toEqual(countUp(1, watcher.durable.length));
      await Promise.all([speaker.close(), watcher.close()]);
    },
  );
});
