/**
 * What was deleted is still in the files that Redis wrote before: the append-only file tells how it came and went, a
 * snapshot was taken while it was there. Both are written anew.
 *
 *  S1  A rewrite that was under way may have read what was deleted since, so it is waited for, and ours comes after.
 *  S2  It has happened only when Redis says that the rewrite ended well, on every master.
 *
 * Out of reach from here: the files of replicas, backups, and a managed Redis that forbids these commands.
 */
import type { Redis } from 'ioredis';
import { sleep } from '../../clock.ts';
import { masters } from './boot.ts';
import type { Client, Log } from './connection.ts';
import { isForbidden, storeError } from './failure.ts';

const WITHIN_MS = 300_000;
const LOOK_EVERY_MS = 50;

type Rewrite = 'aof' | 'rdb';

const WORDS = {
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
  await Promise.all(masters(client).map((node) => scrubNode(node, log)));
}

async function scrubNode(node: Redis, log: Log): Promise<void> {
  try {
    if ((await persistence(node)).get('aof_enabled') === '1') await rewrite(node, 'aof');
    if (await takesSnapshots(node)) await rewrite(node, 'rdb');
  } catch (error) {
    if (!isForbidden(error)) throw error;
    const words =
      'this Redis forbids rewriting its files: what was erased stays in them until it does so by itself';
    log('warn', words, { error: (error as Error).message });
  }
}

async function rewrite(node: Redis, kind: Rewrite): Promise<void> {
  const deadlineMs = performance.now() + WITHIN_MS;
  await quiet(node, deadlineMs);
  while (!(await begin(node, kind))) await quiet(node, deadlineMs);
  const info = await quiet(node, deadlineMs);
  const ended = info.get(WORDS[kind].ended);
  if (ended !== 'ok') throw storeError('STORE_NOT_SCRUBBED', `writing the ${kind} anew ended with ${ended}`);
}

/** False where another rewrite began between our look and our word. */
async function begin(node: Redis, kind: Rewrite): Promise<boolean> {
  try {
    await (kind === 'aof' ? node.bgrewriteaof() : node.bgsave());
    return true;
  } catch (error) {
    if (error instanceof Error && /in progress|already/i.test(error.message)) return false;
    throw error;
  }
}

/** Resolves, with what Redis says of its files, once nothing is being written. */
async function quiet(node: Redis, deadlineMs: number): Promise<ReadonlyMap<string, string>> {
  for (;;) {
    const info = await persistence(node);
    const isBusy = Object.values(WORDS).some(
      ({ running, scheduled }) => info.get(running) === '1' || info.get(scheduled) === '1',
    );
    if (!isBusy) return info;
    if (performance.now() > deadlineMs)
      throw storeError('STORE_NOT_SCRUBBED', `its files were not written anew within ${WITHIN_MS} ms`);
    await sleep(LOOK_EVERY_MS);
  }
}

async function takesSnapshots(node: Redis): Promise<boolean> {
  const [, save = ''] = (await node.config('GET', 'save')) as string[];
  return save !== '';
}

async function persistence(node: Redis): Promise<ReadonlyMap<string, string>> {
  const lines = (await node.info('persistence')).split('\r\n').map((line) => line.split(':'));
  return new Map(lines.map(([name = '', value = '']) => [name, value]));
}
