/**
 * Makes Redis rewrite its append-only file and its snapshot, which still hold deleted records.
 *
 *  REDIS-PURGE-1  A rewrite under way may have read records that are deleted by now: the purge waits for it to end, then
 *                 starts its own.
 *  REDIS-PURGE-2  The purge succeeds only if every master reports success.
 *
 * A purge cannot reach the files of replicas, backups, and a managed Redis that forbids these commands.
 */
import type { Redis } from 'ioredis';
import { sleep } from '../../clock.ts';
import type { Client, Log } from './connection.ts';
import { isForbidden, redisError } from './failure.ts';
import { infoOf, masters } from './server/boot.ts';

const WITHIN_MS = 300_000;
const LOOK_EVERY_MS = 50;

type Rewrite = 'aof' | 'rdb';

const INFO_FIELDS = {
  aof: {
    running: 'aof_rewrite_in_progress',
    scheduled: 'aof_rewrite_scheduled',
    ended: 'aof_last_bgrewrite_status',
  },
  rdb: {
    running: 'rdb_bgsave_in_progress',
    scheduled: 'rdb_bgsave_scheduled',
    ended: 'rdb_last_bgsave_status',
  },
} as const;

export async function purge(client: Client, log: Log): Promise<void> {
  await Promise.all(masters(client).map((node) => purgeNode(node, log)));
}

async function purgeNode(node: Redis, log: Log): Promise<void> {
  try {
    if ((await infoOf(node, 'persistence')).get('aof_enabled') === '1') await rewrite(node, 'aof');
    if (await takesSnapshots(node)) await rewrite(node, 'rdb');
  } catch (error) {
    if (!isForbidden(error)) throw error;
    const words =
      'this Redis forbids rewriting its files: erased records stay in them until Redis rewrites them on its own';
    log('warn', words, { error: (error as Error).message });
  }
}

async function rewrite(node: Redis, kind: Rewrite): Promise<void> {
  const deadlineMs = performance.now() + WITHIN_MS;
  await quiet(node, deadlineMs);
  while (!(await begin(node, kind))) await quiet(node, deadlineMs);
  const info = await quiet(node, deadlineMs);
  const ended = info.get(INFO_FIELDS[kind].ended);
  if (ended !== 'ok') throw redisError('STORE_NOT_SCRUBBED', `rewriting the ${kind} ended with ${ended}`);
}

/** False if another rewrite began in between. */
async function begin(node: Redis, kind: Rewrite): Promise<boolean> {
  try {
    await (kind === 'aof' ? node.bgrewriteaof() : node.bgsave());
    return true;
  } catch (error) {
    if (error instanceof Error && /in progress|already/i.test(error.message)) return false;
    throw error;
  }
}

/** Resolves with INFO once Redis rewrites no file. */
async function quiet(node: Redis, deadlineMs: number): Promise<ReadonlyMap<string, string>> {
  for (;;) {
    const info = await infoOf(node, 'persistence');
    const isBusy = Object.values(INFO_FIELDS).some(
      ({ running, scheduled }) => info.get(running) === '1' || info.get(scheduled) === '1',
    );
    if (!isBusy) return info;
    if (performance.now() > deadlineMs)
      throw redisError('STORE_NOT_SCRUBBED', `Redis did not rewrite its files within ${WITHIN_MS} ms`);
    await sleep(LOOK_EVERY_MS);
  }
}

async function takesSnapshots(node: Redis): Promise<boolean> {
  const [, save = ''] = (await node.config('GET', 'save')) as string[];
  return save !== '';
}
