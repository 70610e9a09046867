/** Stores by their names, `sqlite:DIR` or the URL of a Redis, and the store of a deployment. */
import type { Config } from '../config/config.ts';
import type { Log } from '../telemetry/log.ts';
import type { Store } from './contract.ts';
import { openRedisStore, type RedisStoreOptions } from './redis/open.ts';
import { rolloutStore } from './rollout/rollout.ts';
import { openSqliteStore } from './sqlite/open.ts';

/** Inputs that wait for a busy owner of one session; more are refused instead of being kept. */
const INBOX_MAX = 256;
const SQLITE = 'sqlite:';

type RedisWishes = Pick<RedisStoreOptions, 'log' | 'commandTimeoutMs'>;

/** One store, or two during a roll-out, of which the newer takes its share of the new sessions. */
export async function openDeployedStore(config: Config['store'], log: Log): Promise<Store> {
  const { redisUrl, dataDir, rollout } = config;
  const redis: RedisWishes = { log: (level, message, fields) => log[level]({ ...fields }, message) };
  const store = await openStore(redisUrl ?? `${SQLITE}${dataDir}`, config, redis);
  if (rollout === null) return store;
  const { url, percent } = rollout;
  return rolloutStore({ old: store, new: await openStore(url, config, redis), percent });
}

export function openStore(
  name: string,
  { leaseMs, frameLogMax, allowEviction }: Config['store'],
  redis: RedisWishes,
): Promise<Store> {
  const options = { leaseMs, frameLogMax, inboxMax: INBOX_MAX };
  const dataDir = folderIn(name);
  return dataDir === null
    ? openRedisStore({ ...options, ...redis, url: name, allowEviction })
    : openSqliteStore({ ...options, dataDir });
}

/** The folder of an embedded store; null where the name is that of a Redis. */
export function folderIn(name: string): string | null {
  return name.startsWith(SQLITE) ? name.slice(SQLITE.length) : null;
}
