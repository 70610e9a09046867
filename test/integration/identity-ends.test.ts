/** A credential that ends takes its sockets and streams with it, on every instance, and opens nothing more. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { get, post, type Reply, readEvents } from '../support/instance/http.ts';
import { newIdentities, showing } from '../support/instance/identities.ts';
import { type Instance, startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

/** Clocks may differ by this much, so a token counts so long after its end. */
const SKEW_SECONDS = 30;
/** The witness looks once a second, and each time waits for the instance's answer. */
const LOOKS_MAX = 5;

const identities = newIdentities();
afterAll(() => identities.close());
// Before the instances start: they know no new key until they look at the file again.
const kiosk = identities.apiKey('kiosk', 'user');
const portal = identities.apiKey('portal', 'service');
const [redis, simulator] = started(startRedis, () =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '2000', SIMULATOR_TOKENS_PER_SECOND: '20' }),
);
const launch = () =>
  startInstance({ ...identities.environment, REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url });
const [one, two] = started(launch, launch);

/** How often a client of the same instance had looked when the other client's connection closed. */
async function looksUntilClosed(instance: Instance, client: TestClient): Promise<number> {
  const witness = await TestClient.greet(instance.url, { token: await identities.token('witness') });
  let looks = 0;
  while (client.isOpen && looks < 10 * LOOKS_MAX) {
    looks += 1;
    witness.send({ type: 'ping' });
    await witness.waitForType('pong');
    await sleep(1_000);
  }
  expect(witness.isOpen).toBe(true);
  await witness.close();
  return looks;
}

/** All that a client can tell one refusal from another by. */
function toldBy({ status, headers, body }: Reply) {
  const { request_id: _, ...told } = (body as { readonly error: Readonly<Record<string, unknown>> }).error;
  const names = [...headers.keys()].filter((name) => name !== 'date');
  return { status, told, headers: names.map((name) => [name, headers.get(name)]) };
}

describe('a credential that ends', () => {
  it.each([
    [
      'a token that expires',
      () => identities.token('alice', { endsInSeconds: 6 - SKEW_SECONDS }),
      ({ welcome }: TestClient) => sleep((welcome.identity_expires_at ?? 0) - Date.now()),
    ],
    ['an API key that is withdrawn', async () => kiosk, async () => identities.withdraw('kiosk')],
    [
      'the token of a user who is disabled',
      () => identities.token('mallory'),
      async () => identities.disable({ subject: 'mallory' }),
    ],
  ] as const)(
    '%s closes its sockets on both instances with 4002 and is refused like junk from then on',
    async (_, issue, end) => {
      const instances = [one, two];
      const bearer = await issue();
      const first = await TestClient.greet(one.url, { token: bearer });
      const second = await TestClient.greet(two.url, { token: bearer, session_id: first.sessionId });
      const clients = [first, second];

      await end(first);
      const looks = await Promise.all([looksUntilClosed(one, first), looksUntilClosed(two, second)]);
      for (const client of clients) {
        expect(await client.closed).toEqual({ code: 4002, reason: 'identity_ended' });
        expect(client.frames.at(-1)).toMatchObject({
          type: 'error',
          code: 'identity_ended',
          retryable: false,
        });
      }
      for (const count of looks) expect(count).toBeLessThanOrEqual(LOOKS_MAX);

      for (const { http, url } of instances) {
        const ended = await get(`${http}/api/sessions`, { headers: showing(bearer) });
        const junk = await get(`${http}/api/sessions`, { headers: showing('junk') });
        expect(ended.status).toBe(401);
        expect(toldBy(ended)).toEqual(toldBy(junk));
        const socket = await TestClient.open(url);
        socket.send({ type: 'hello', token: bearer, session_id: first.sessionId });
        expect(await socket.closed).toEqual({ code: 4001, reason: 'unauthenticated' });
      }
      identities.disable();
    },
  );

  it('a renewed token keeps its socket open beyond the end of the former one', async () => {
    const short = await identities.token('rosa', { endsInSeconds: 4 - SKEW_SECONDS });
    const [renewing, idle] = await Promise.all([1, 2].map(() => TestClient.greet(one.url, { token: short })));
    renewing!.send({ type: 'authenticate', token: await identities.token('rosa') });
    const { expires_at } = await renewing!.waitForType('authenticated');
    expect(expires_at).toBeGreaterThan(renewing!.welcome.identity_expires_at ?? 0);
    expect(await idle!.closed).toMatchObject({ code: 4002 });
    renewing!.send({ type: 'ping' });
    await renewing!.waitForType('pong');
    await renewing!.close();
  });

  it('a stream of a turn ends with identity_ended when its user is disabled, and the turn goes on', async () => {
    const token = await identities.token('sven');
    const headers = showing(token);
    const reading = [one, two].map(({ http }) => {
      let isDisabled = false;
      return readEvents(
        { url: `${http}/api/protocol`, body: { chief_complaint: 'a cough' }, headers },
        (events) => {
          if (!isDisabled && events.some(({ event }) => event === 'delta')) {
            isDisabled = true;
            identities.disable({ subject: 'sven' });
          }
          return false;
        },
      );
    });
    const admin = showing(await identities.token('root', { role: 'admin' }));
    for (const events of await Promise.all(reading)) {
      expect(events.at(-1)).toMatchObject({
        event: 'error',
        retryMs: null,
        frame: { type: 'error', code: 'identity_ended' },
      });
      expect(events.map(({ event }) => event)).not.toContain('turn.completed');
      const [welcome] = events;
      const id = welcome?.frame.type === 'welcome' ? welcome.frame.session_id : '';
      const session = await get(`${one.http}/api/session/${id}`, { headers: admin });
      expect(session.body).toMatchObject({ state: 'processing' });
    }
    identities.disable();
  });

  it('a back end cannot act for a disabled user, and goes on for others', async () => {
    const forUser = (user: string) => ({ ...showing(portal), 'rehydra-user': user });
    const greet = ({ url }: Instance, user_id: string) => TestClient.greet(url, { token: portal, user_id });
    const ofDana = await Promise.all([greet(one, 'dana'), greet(two, 'dana')]);
    const ofEvan = await Promise.all([greet(one, 'evan'), greet(two, 'evan')]);

    identities.disable({ subject: 'dana' });
    for (const client of ofDana) expect(await client.closed).toMatchObject({ code: 4002 });
    for (const client of ofEvan) {
      client.send({ type: 'ping' });
      await client.waitForType('pong');
      await client.close();
    }
    for (const { http, url } of [one, two]) {
      const protocol = `${http}/api/protocol`;
      const body = { chief_complaint: 'a cough' };
      expect((await get(`${http}/api/sessions`, { headers: forUser('dana') })).status).toBe(403);
      expect((await get(`${http}/api/sessions?user_id=dana`, { headers: showing(portal) })).status).toBe(403);
      expect((await post(protocol, body, forUser('dana'))).status).toBe(403);
      expect((await post(protocol, { ...body, user_id: 'dana' }, showing(portal))).status).toBe(403);
      expect((await get(`${http}/api/sessions`, { headers: forUser('evan') })).status).toBe(200);
      const socket = await TestClient.open(url);
      socket.send({ type: 'hello', token: portal, user_id: 'dana' });
      expect(await socket.closed).toMatchObject({ code: 4003 });
    }
    identities.disable();
  });
});
