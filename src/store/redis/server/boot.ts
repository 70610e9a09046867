/**
 * Checks that a Redis can keep sessions, and warns operators of risks. A managed Redis may forbid CONFIG: the store then
 * warns and goes on, because INFO does not show the settings.
 */
import type { Redis } from 'ioredis';
import type { Client, Log } from '../connection.ts';
import { isForbidden, redisError } from '../failure.ts';

export interface Facts {
  readonly version: string;
  readonly runId: string;
  readonly replicationId: string;
  /** For operators: 'aof always', 'aof everysec', 'aof no', 'rdb', 'none' or 'unknown'. */
  readonly durability: string;
  /** Null if CONFIG is forbidden. */
  readonly evictionPolicy: string | null;
  /** The node belongs to a cluster, even as its only node: a script may then use one slot only. */
  readonly isSlotted: boolean;
}

const OLDEST_MAJOR = 7;

export async function inspect(client: Client): Promise<readonly Facts[]> {
  return Promise.all(masters(client).map(factsOf));
}

export function masters(client: Client): readonly Redis[] {
  return client.isCluster ? (client as Exclude<Client, Redis>).nodes('master') : [client as Redis];
}

async function factsOf(node: Redis): Promise<Facts> {
  const info = await infoOf(node);
  const config = await configOf(node);
  return {
    version: info.get('redis_version') ?? '0',
    runId: info.get('run_id') ?? '',
    replicationId: info.get('master_replid') ?? '',
    durability: durabilityOf(info.get('aof_enabled') === '1', config),
    evictionPolicy: config?.get('maxmemory-policy') ?? null,
    isSlotted: info.get('cluster_enabled') === '1',
  };
}

/** The fields of INFO, of one section or of all. */
export async function infoOf(node: Redis, ...section: string[]): Promise<ReadonlyMap<string, string>> {
  const lines = (await node.info(...section)).split('\r\n').map((line) => line.split(/:(.*)/s));
  return new Map(lines.map(([name = '', value = '']) => [name, value]));
}

async function configOf(node: Redis): Promise<ReadonlyMap<string, string> | null> {
  try {
    const config = new Map<string, string>();
    for (const name of ['maxmemory-policy', 'appendfsync', 'save']) {
      const [, value = ''] = (await node.config('GET', name)) as string[];
      config.set(name, value);
    }
    return config;
  } catch (error) {
    // A lost connection must not pass for a forbidden CONFIG.
    if (isForbidden(error)) return null;
    throw error;
  }
}

function durabilityOf(appendsToFile: boolean, config: ReadonlyMap<string, string> | null): string {
  if (appendsToFile) return config === null ? 'aof' : `aof ${config.get('appendfsync') ?? ''}`;
  if (config === null) return 'unknown';
  return config.get('save') === '' ? 'none' : 'rdb';
}

/** Refuses a Redis that would lose sessions silently; warns of risks that it cannot rule out. */
export function assertUsable(facts: Facts, label: string, allowEviction: boolean, log: Log): void {
  const major = Number(facts.version.split('.')[0]);
  if (!(major >= OLDEST_MAJOR)) {
    const words = `${label} is Redis ${facts.version}; Rehydra needs ${OLDEST_MAJOR}.0 or newer (sharded pub/sub)`;
    throw redisError('STORE_DENIED', words);
  }
  const policy = facts.evictionPolicy;
  if (policy === null) {
    log('warn', 'CONFIG is forbidden: make sure that maxmemory-policy is noeviction', { redis: label });
  } else if (policy.startsWith('allkeys-') && !allowEviction) {
    const words = `${label} has maxmemory-policy ${policy}, which deletes live sessions when memory is short`;
    throw redisError('STORE_DENIED', `${words}: set it to noeviction, or allow eviction explicitly`);
  } else if (policy.startsWith('allkeys-')) {
    log('warn', 'this maxmemory-policy deletes live sessions when memory is short', { redis: label, policy });
  } else if (policy !== 'noeviction') {
    log('warn', 'this maxmemory-policy deletes locks of live sessions when memory is short', {
      redis: label,
      policy,
    });
  }
  if (facts.durability === 'none')
    log('warn', 'Redis keeps nothing on disk: its restart ends all sessions', { redis: label });
}
