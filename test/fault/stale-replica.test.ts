/**
 * A failover loses acknowledged writes: the replica lacks the last seconds when it takes over. Rehydra does not
 * prevent that loss (G10), but it must report it: a client that saw a lost frame receives a reset. In the end each
 * client shows what the log holds.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type SimulatorProcess, startSimulatorProcess } from '../support/instance/instance.ts';
import { startProxy, type TcpProxy } from '../support/instance/proxy.ts';
import { ReconnectingClient, type SentMessage } from '../support/instance/reconnecting-client.ts';
import { withClient } from '../support/instance/redis-process.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { seeded, tell, until } from './chaos/figures.ts';
import { type Fleet, startFleet } from './chaos/fleet.ts';
import { differenceFromLog, storedFrames } from './chaos/oracle.ts';

const CLIENTS = 60;
let primary: RedisServer;
let replica: RedisServer;
let replication: TcpProxy;
let address: TcpProxy;
let simulator: SimulatorProcess;
let fleet: Fleet;

beforeEach(async () => {
  primary = await startRedis();
  replication = await startProxy(primary.port);
  replica = await startRedis({ replicaOf: { port: replication.port } });
  address = await startProxy(primary.port);
  simulator = await startSimulatorProcess({ SIMULATOR_TOKENS: '60', SIMULATOR_TOKENS_PER_SECOND: '15' });
  fleet = await startFleet(2, () => ({
    REDIS_URL: `redis://127.0.0.1:${address.port}`,
    VLLM_BASE_URL: simulator.url,
    LEASE_MS: '2000',
  }));
});
afterEach(async () => {
  await fleet?.stop();
  await simulator?.stop();
  await address?.stop();
  await replication?.stop();
  await replica?.stop();
  await primary?.stop();
});

async function offsetOf(server: RedisServer): Promise<number> {
  const info = await withClient(server.port, (client) => client.info('replication'));
  return Number(/\nmaster_repl_offset:(\d+)/.exec(info)?.[1]);
}

/** Resolves once the message is answered, or the store has lost it together with its answer. */
function settled(client: ReconnectingClient, said: SentMessage): Promise<void> {
  const known = client.resets.length;
  return client.until(
    () => {
      const turn = client.turnOf(said);
      const decided =
        !client.session.unacknowledged.includes(said.id) && client.session.state !== 'processing';
      if (turn !== undefined) return decided && turn.outcome.kind !== 'running';
      return decided && client.resets.length > known && client.session.connected;
    },
    `${said.id} to be settled`,
    60_000,
  );
}

it('after the promotion of a stale replica every client that saw a lost frame receives a reset, and none has a silent gap', async () => {
  const random = seeded(50);
  const clients = Array.from(
    { length: CLIENTS },
    (_, index) =>
      new ReconnectingClient({ urls: [fleet.urls[index % 2]!, fleet.urls[(index + 1) % 2]!], random }),
  );
  await Promise.all(clients.map((client) => client.welcomed()));
  const first = clients.map((client, index) => client.say(`Before, ${index}.`, { maxTokens: 10 }));
  await Promise.all(clients.map((client, index) => client.answered(first[index]!)));
  const asReplica = new Redis(replica.port, '127.0.0.1');
  await until(
    async () => (await asReplica.info('replication')).includes('master_link_status:up'),
    'replication',
  );
  await until(async () => (await offsetOf(primary)) === (await offsetOf(replica)), 'the replica to know all');

  // From here on the replica receives nothing. When the primary dies, a third of the clients are quiet, a third have
  // their answer, and a third are in mid-answer. Some of each reconnected, so that the replica does not know the
  // owners of their sessions.
  replication.refuse(true);
  replication.cut();
  const lastKnown = clients.map(({ offset }) => offset);
  for (const [index, client] of clients.entries()) if (index % 4 === 0) client.drop();
  await Promise.all(clients.map((client) => client.welcomed()));
  const short = clients.map((client, index) =>
    index % 3 === 0 ? null : client.say(`Lost, ${index}.`, { maxTokens: 10 }),
  );
  await Promise.all(
    clients.map((client, index) => (short[index] == null ? null : client.answered(short[index]))),
  );
  const long = clients.map((client, index) => (index % 3 === 2 ? client.say(`Cut, ${index}.`) : null));
  await sleep(2_000);
  await primary.kill('SIGKILL');
  await asReplica.call('REPLICAOF', 'NO', 'ONE');
  const sawMore = clients.filter((client, index) => client.offset > lastKnown[index]!);
  address.leadTo(replica.port);

  await Promise.all(
    clients.map((client, index) => (long[index] == null ? null : settled(client, long[index]))),
  );
  // The conversation continues, so that every log grows past the point of the loss.
  for (let round = 0; round < 3; round += 1) {
    const after = clients.map((client, index) => client.say(`After, ${index}, ${round}.`, { maxTokens: 30 }));
    await Promise.all(clients.map((client, index) => settled(client, after[index]!)));
  }
  await Promise.all(clients.map((client) => client.until(() => client.session.connected, 'a connection')));

  const gaps: string[] = [];
  let affected = 0;
  for (const client of clients) {
    let log = await storedFrames(asReplica, client.sessionId);
    let difference = differenceFromLog(client.frames, log);
    // The last frames may still be in flight; a real gap never closes.
    for (const endsAt = Date.now() + 30_000; difference !== null && Date.now() < endsAt; await sleep(50)) {
      log = await storedFrames(asReplica, client.sessionId);
      difference = differenceFromLog(client.frames, log);
    }
    if (difference !== null) gaps.push(`${client.sessionId}: ${difference}`);
    const kept = new Set(log);
    const sawLostFrames = [...client.resets.flatMap(({ before }) => before), ...client.frames].some(
      (frame) => !kept.has(JSON.stringify(frame)),
    );
    if (sawLostFrames) affected += 1;
    if (sawLostFrames && client.resets.length === 0) gaps.push(`${client.sessionId}: received no reset`);
  }
  asReplica.disconnect();
  const reasons = clients.flatMap(({ resets }) => resets.map(({ reason }) => reason));
  tell(`${sawMore.length} of ${CLIENTS} clients had seen frames that the replica had not`);
  tell(
    `${affected} saw lost frames, resets received: ${reasons.length} (${[...new Set(reasons)].join(', ')})`,
  );
  expect(gaps).toEqual([]);
  expect(affected).toBeGreaterThanOrEqual(CLIENTS / 2);
  expect(clients.flatMap(({ violations }) => violations)).toEqual([]);
  for (const client of clients) client.stop();
});
