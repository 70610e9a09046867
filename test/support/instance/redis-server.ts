/**
 * Real redis-servers for tests: one, or a cluster of masters, on free ports of 127.0.0.1 and in folders that are removed
 * with them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { end, freePort, onFreePort } from './processes.ts';
import { launch, type Readiness, type Running, withClient } from './redis-process.ts';

const slotCount = 16_384;
const agreeWithinMs = 60_000;

export interface RedisOptions {
  readonly appendonly?: 'no' | 'everysec' | 'always';
  readonly port?: number;
  readonly dir?: string;
  readonly args?: readonly string[];
  readonly replicaOf?: { readonly port: number };
  readonly cluster?: boolean;
}

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** The pid of the running process; `restart` changes it. */
  readonly pid: number;
  readonly dir: string;
  /** Ends the server and removes its folder, unless the test named the folder. */
  stop(): Promise<void>;
  /** Sends a signal; after one that ends the server, waits for the end. The folder stays for `restart`. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends the server if it runs and starts it on the same port and folder. */
  restart(readiness?: Readiness): Promise<void>;
}

const survivable = new Set<NodeJS.Signals>(['SIGSTOP', 'SIGCONT', 'SIGUSR1']);

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'rehydra-redis-'));
  const removeDir = (): void => {
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  };
  let running: Running;
  try {
    const start = async (port: number) => launch(port, await serverArgs(options, dir, port));
    running = options.port === undefined ? await onFreePort(start) : await start(options.port);
  } catch (error) {
    removeDir();
    throw error;
  }
  const { port } = running;
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    dir,
    get pid() {
      return running.pid;
    },
    async stop() {
      await end(running.child, 'SIGKILL');
      removeDir();
    },
    async kill(signal) {
      if (survivable.has(signal)) running.child.kill(signal);
      else await end(running.child, signal);
    },
    async restart(readiness) {
      await end(running.child, 'SIGTERM');
      running = await launch(port, await serverArgs(options, dir, port), readiness);
    },
  };
}

async function serverArgs(options: RedisOptions, dir: string, port: number): Promise<readonly string[]> {
  const fsync = options.appendonly ?? 'no';
  const durability =
    fsync === 'no' ? ['--appendonly', 'no'] : ['--appendonly', 'yes', '--appendfsync', fsync];
  const replica =
    options.replicaOf === undefined ? [] : ['--replicaof', '127.0.0.1', `${options.replicaOf.port}`];
  const cluster = options.cluster
    ? ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--cluster-port', `${await freePort()}`]
    : [];
  // Without this a replica of the server waits five seconds for its first copy.
  const prompt = ['--repl-diskless-sync-delay', '0'];
  const base = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--daemonize', 'no'];
  return [...base, ...prompt, ...durability, ...replica, ...cluster, ...(options.args ?? [])];
}

export interface RedisCluster {
  readonly nodes: readonly RedisServer[];
  readonly urls: readonly string[];
  stop(): Promise<void>;
}

export async function startRedisCluster(masters = 3): Promise<RedisCluster> {
  const nodes: RedisServer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  try {
    while (nodes.length < masters) nodes.push(await startRedis({ cluster: true }));
    await assignSlots(nodes);
    await introduce(nodes);
    await agree(nodes);
    // A short timeout helps the cluster form; a long one keeps a busy machine from declaring a node dead.
    for (const node of nodes)
      await withClient(node.port, (client) => client.config('SET', 'cluster-node-timeout', 30_000));
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, urls: nodes.map((node) => node.url), stop };
}

async function assignSlots(nodes: readonly RedisServer[]): Promise<void> {
  const share = slotCount / nodes.length;
  for (const [index, node] of nodes.entries()) {
    const first = Math.floor(index * share);
    const last = Math.floor((index + 1) * share) - 1;
    await withClient(node.port, async (client) => {
      await client.call('CLUSTER', 'ADDSLOTSRANGE', first, last);
      // Two nodes at epoch 0 would have to resolve a collision first.
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    });
  }
}

async function introduce([first, ...others]: readonly RedisServer[]): Promise<void> {
  if (first === undefined) throw new Error('a cluster needs at least one master');
  for (const other of others) {
    const busPort = await withClient(other.port, (client) => client.config('GET', 'cluster-port'));
    await withClient(first.port, (client) =>
      client.call('CLUSTER', 'MEET', '127.0.0.1', other.port, String(settingOf(busPort))),
    );
  }
}

/** CONFIG GET answers [name, value], or {name: value} if the client speaks RESP3. */
function settingOf(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply[1];
  if (reply instanceof Map) return [...reply.values()][0];
  return Object.values(Object(reply))[0];
}

async function agree(nodes: readonly RedisServer[]): Promise<void> {
  const deadlineMs = Date.now() + agreeWithinMs;
  const isDone = (info: unknown): boolean =>
    String(info).includes('cluster_state:ok') &&
    String(info).includes(`cluster_known_nodes:${nodes.length}\r\n`);
  for (const node of nodes) {
    while (!isDone(await withClient(node.port, (client) => client.cluster('INFO')))) {
      if (Date.now() > deadlineMs) throw new Error(`the cluster did not form within ${agreeWithinMs} ms`);
      await sleep(50);
    }
  }
}
