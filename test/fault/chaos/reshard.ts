/** Moves one slot of a Redis Cluster from its master to another, key by key, as `redis-cli --cluster reshard` does. */
import { Redis } from 'ioredis';
import type { RedisCluster } from '../../support/instance/redis-server.ts';

export interface Resharding {
  readonly slot: number;
  /** The number of moved keys. */
  readonly keys: number;
}

/**
 * Waits `stepMs` between two groups of keys, so that a script's keys are split between two masters for that long. Keys
 * that match `first` move before the others.
 */
export async function moveSlotOf(
  cluster: RedisCluster,
  key: string,
  stepMs: number,
  first: RegExp = /^/,
): Promise<Resharding> {
  const nodes = cluster.nodes.map(({ port }) => new Redis(port, '127.0.0.1'));
  try {
    const slot = Number(await nodes[0]!.cluster('KEYSLOT', key));
    const ids = await Promise.all(nodes.map((node) => node.call('CLUSTER', 'MYID') as Promise<string>));
    const from = await ownerOf(nodes, ids, slot);
    const to = (from + 1) % nodes.length;
    const [source, target] = [nodes[from]!, nodes[to]!];
    const [sourceId, targetId] = [ids[from]!, ids[to]!];
    await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId);
    await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
    let keys = 0;
    for (;;) {
      const left = (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, 10_000)) as readonly string[];
      if (left.length === 0) break;
      const some = [...left.filter((name) => first.test(name)), ...left].slice(0, 3);
      const port = cluster.nodes[to]!.port;
      await source.call('MIGRATE', '127.0.0.1', port, '', 0, 60_000, 'KEYS', ...new Set(some));
      keys += new Set(some).size;
      await new Promise((resume) => setTimeout(resume, stepMs));
    }
    await target.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
    await source.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
    for (const node of nodes) await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
    return { slot, keys };
  } finally {
    for (const node of nodes) node.disconnect();
  }
}

async function ownerOf(nodes: readonly Redis[], ids: readonly string[], slot: number): Promise<number> {
  const ranges = await nodes[0]!.cluster('SLOTS');
  const range = ranges.find(([first, last]) => first <= slot && slot <= last);
  const index = ids.indexOf(String(range?.[2]?.[2]));
  if (index < 0) throw new Error(`no master owns slot ${slot}`);
  return index;
}
