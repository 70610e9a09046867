/** Calls to Redis: what leaves together, and how a call ends whose answer does not come. */
import type { Cluster, Command, Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { createBatch, keyList } from '../../../src/store/redis/batch.ts';
import { sessionKeys } from '../../../src/store/redis/keys.ts';
import { scripts } from '../../../src/store/redis/scripts.ts';

const WITHIN_MS = 20;
const SLOTS = 16_384;

/** A server as far as a batch needs it. `answer` settles the commands of each write. */
class FakeServer {
  readonly writes: string[] = [];
  readonly status = 'ready';
  readonly options: { readonly host: string; readonly port: number };
  readonly #answer: (command: Command, index: number) => void;
  #sent: Command[] = [];

  constructor(
    answer: (command: Command, index: number) => void = (command) => void command.resolve(0),
    port = 1,
  ) {
    this.#answer = answer;
    this.options = { host: 'h', port };
  }

  readonly stream = {
    write: (text: string) => {
      this.writes.push(text);
      const sent = this.#sent;
      this.#sent = [];
      setImmediate(() => sent.forEach((command, index) => void this.#answer(command, index)));
    },
  };

  sendCommand(command: Command, collector: { write(text: unknown): void }): Promise<unknown> {
    collector.write(command.toWritable({}));
    this.#sent.push(command);
    return Promise.resolve();
  }

  get client(): Redis {
    return this as unknown as Redis;
  }
}

/** A cluster that splits its slots in two. `alone` takes the commands that do not leave with others. */
function clusterOf(
  [low, high]: readonly [FakeServer, FakeServer],
  alone: (command: Command) => Promise<unknown> = () => Promise.reject(new Error('sent alone')),
): Cluster {
  const names = [low, high].map(({ options }) => [`${options.host}:${options.port}`]);
  const slots = Array.from({ length: SLOTS }, (_, slot) => names[slot < SLOTS / 2 ? 0 : 1]);
  const nodes = () => [low.client, high.client];
  return { isCluster: true, status: 'ready', slots, nodes, sendCommand: alone } as unknown as Cluster;
}

function clusterThat(sendCommand: () => Promise<unknown>): Cluster {
  return { isCluster: true, status: 'connecting', slots: [], sendCommand } as unknown as Cluster;
}

const ids = Array.from({ length: 64 }, (_, index) => `session-${index}`);
const readAll = (batch: ReturnType<typeof createBatch>) =>
  Promise.all(ids.map((id) => batch.call(scripts.read, [sessionKeys(id).session], [])));

describe('a batch of calls', () => {
  it('calls of one event-loop turn leave in one write, in the order in which they were made', async () => {
    const server = new FakeServer((command, index) => void command.resolve(index));
    expect(await readAll(createBatch(server.client, 1_000))).toEqual(ids.map((_, index) => index));
    expect(server.writes).toHaveLength(1);
    const places = ids.map((id) => server.writes[0]?.indexOf(`:s:${id}\r\n`) ?? -1);
    expect(places).toEqual([...places].sort((one, other) => one - other));
    expect(places).not.toContain(-1);
  });

  it('a call with encoded keys sends the same bytes as a call with their names', async () => {
    const server = new FakeServer();
    const batch = createBatch(server.client, 1_000);
    const names = ['{b}:ключ', '{b}:k'];
    await batch.call(scripts.read, names, ['ä', 7, '']);
    await batch.call(scripts.read, keyList(names), ['ä', 7, '']);
    expect(server.writes[1]).toBe(server.writes[0]);
    expect(server.writes[0]).toContain(
      `$10\r\n{b}:ключ\r\n`.replace('$10', `$${Buffer.byteLength('{b}:ключ')}`),
    );
  });

  it('a script that the server does not know is sent again with its text', async () => {
    const server = new FakeServer((command) =>
      command.name === 'evalsha'
        ? command.reject(new Error('NOSCRIPT No matching script.'))
        : void command.resolve(5),
    );
    expect(await createBatch(server.client, 1_000).call(scripts.read, ['{b}:s'], [])).toBe(5);
    expect(server.writes[1]).toContain(scripts.read.text);
  });

  it('a call without an answer is rejected, and a late answer changes nothing', async () => {
    const silent: Command[] = [];
    const server = new FakeServer((command) => void silent.push(command));
    const batch = createBatch(server.client, WITHIN_MS);
    const refused = batch.call(scripts.read, ['{b}:s'], []);
    await expect(refused).rejects.toMatchObject({ code: 'STORE_TIMEOUT' });
    silent[0]?.resolve(1);
    await expect(refused).rejects.toMatchObject({ code: 'STORE_TIMEOUT' });
  });

  it('a closed batch rejects every call', async () => {
    const batch = createBatch(new FakeServer().client, 1_000);
    batch.close();
    await expect(batch.call(scripts.read, ['{b}:s'], [])).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });
});

describe('a call to a cluster', () => {
  it('calls of one event-loop turn leave in one write per node', async () => {
    const servers = [new FakeServer(undefined, 1), new FakeServer(undefined, 2)] as const;
    await readAll(createBatch(clusterOf(servers), 1_000));
    expect(servers.map(({ writes }) => writes.length)).toEqual([1, 1]);
  });

  it.each(['MOVED 1 h:2', 'ASK 1 h:2', 'TRYAGAIN Multiple keys', 'CLUSTERDOWN The cluster is down'])(
    'a call that its node answers with "%s" is sent again by the driver, which finds the new node',
    async (words) => {
      const sent: string[] = [];
      const servers = [1, 2].map(
        (port) => new FakeServer((command) => command.reject(new Error(words)), port),
      );
      const [low, high] = servers as [FakeServer, FakeServer];
      const cluster = clusterOf([low, high], (command) => {
        sent.push(String(command.args[2]));
        return Promise.resolve('elsewhere');
      });
      expect(await createBatch(cluster, 1_000).call(scripts.read, ['{b}:s'], [])).toBe('elsewhere');
      expect(sent).toEqual(['{b}:s']);
    },
  );

  it('a call that its node refuses for another reason is not sent again', async () => {
    const server = () => new FakeServer((command) => command.reject(new Error('OOM command not allowed')));
    const batch = createBatch(clusterOf([server(), server()]), 1_000);
    await expect(batch.call(scripts.read, ['{b}:s'], [])).rejects.toMatchObject({ code: 'STORE_OOM' });
  });

  it('a call to a cluster without an answer is rejected as unknown', async () => {
    const batch = createBatch(
      clusterThat(() => new Promise(() => {})),
      WITHIN_MS,
    );
    await expect(batch.call(scripts.read, ['{b}:s'], [])).rejects.toMatchObject({ code: 'STORE_TIMEOUT' });
  });

  it('a call to a cluster with an answer resolves', async () => {
    const batch = createBatch(
      clusterThat(() => Promise.resolve(['1'])),
      WITHIN_MS,
    );
    expect(await batch.call(scripts.read, ['{b}:s'], [])).toEqual(['1']);
  });
});
