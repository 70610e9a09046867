/** Opens stores by name, `sqlite:DIR` or the URL of a Redis, and the store of a deployment. */
import type { Config } from '../config/config.ts';
import type { Log } from '../telemetry/log.ts';
import type { Store } from './contract.ts';
import { openRedisStore, type RedisStoreOptions } from './redis/open.ts';
import { rolloutStore } from './rollout/rollout.ts';
import type { DatabaseUse } from './sqlite/database.ts';
import { openSqliteStore } from './sqlite/open.ts';

/** Inputs that may wait for a busy owner; the store refuses more. */
const INBOX_MAX = 256;
const SQLITE = 'sqlite:';

type RedisSettings = Pick<RedisStoreOptions, 'log' | 'commandTimeoutMs'>;

/** Opens one store, or during a rollout two: the new one takes its share of new sessions. */
export function openDeployedStore(config: Config['store'], log: Log): Promise<Store> {
  return deployed(config, {
    redis: { log: (level, message, fields) => log[level]({ ...fields }, message) },
    use: 'serve',
  });
}

/** The same, beside a service that uses an embedded store. Nothing may be written through it. */
export function openDeployedReader(config: Config['store']): Promise<Store> {
  return deployed(config, { redis: {}, use: 'read' });
}

interface Opening {
  readonly redis: RedisSettings;
  readonly use: DatabaseUse;
}

async function deployed(config: Config['store'], { redis, use }: Opening): Promise<Store> {
  const { redisUrl, dataDir, rollout } = config;
  const store = await openStore(redisUrl ?? `${SQLITE}${dataDir}`, config, redis, use);
  if (rollout === null) return store;
  const { url, percent } = rollout;
  return rolloutStore({ old: store, new: await openStore(url, config, redis, use), percent });
}

export function openStore(
  name: string,
  { leaseMs, frameLogMax, historyMax, allowEviction }: Config['store'],
  redis: RedisSettings,
  use: DatabaseUse = 'serve',
): Promise<Store> {
  const options = { leaseMs, frameLogMax, historyMax, inboxMax: INBOX_MAX };
  const dataDir = folderIn(name);
  return dataDir === null
    ? openRedisStore({ ...options, ...redis, url: name, allowEviction })
    : openSqliteStore({ ...options, dataDir, use });
}

/** The folder of an embedded store; null for a Redis. */
export function folderIn(name: string): string | null {
  return name.startsWith(SQLITE) ? name.slice(SQLITE.length) : null;
}
