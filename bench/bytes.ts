/** How many bytes of Redis does a stored session take, key by key? */
import { Redis } from 'ioredis';
import { bucketOf } from '../src/store/contract.ts';
import { bucketKeys, sessionKeys } from '../src/store/redis/keys.ts';
import { PLAIN_PER_SECOND } from './load/exchanges.ts';
import type { Extent } from './measure/extent.ts';
import type { Stage } from './measure/stage.ts';
import { exported, openStore, sleepingSession, storeCopies } from './measure/template-session.ts';
import { figure, type Row, type Section, table } from './report/table.ts';

const TOKENS = 64;
const HIBERNATE_MS = '200';

export async function bytes(stage: Stage, extent: Extent): Promise<Section> {
  const redis = await stage.redis();
  const program = await stage.service(redis, { HIBERNATE_MS });
  const store = await openStore(redis);
  const client = new Redis({ port: redis.port, protocol: 2 });
  const rows: Row[] = [];
  const facts: Record<string, number> = {};
  try {
    for (const [name, tokens] of [
      ['quiet', 0],
      ['after a turn', TOKENS],
    ] as const) {
      const sessionId = await sleepingSession(stage, program, tokens);
      const dump = await exported(store, sessionId);
      await storeCopies(store, dump, extent.bucket, bucketOf(sessionId));
      const parts = await bytesOf(client, sessionId);
      const sum = parts.reduce((total, part) => total + part.bytes, 0);
      facts[`bytes/${name}`] = sum;
      for (const part of parts) rows.push([name, part.key, part.type, figure(part.bytes)]);
      rows.push([
        `**${name}**`,
        `**sum**, ${dump.frames.length} frames in the log`,
        '',
        `**${figure(sum)}**`,
      ]);
    }
  } finally {
    client.disconnect();
    await store.close();
  }
  const words =
    `\`MEMORY USAGE\` of a session without a client: once quiet, and once after a turn with a question of 200 characters and an ` +
    `answer of ${TOKENS} short words at ${PLAIN_PER_SECOND} per second. The deadline index and the listing belong to the bucket; the session's ` +
    `share is theirs divided by the sessions of the bucket, here more than ${extent.bucket.toLocaleString('en-US')}. A million sessions fill 256 buckets so.`;
  const head = ['session', 'key', 'type', 'bytes'];
  return { title: 'Bytes of a stored session', body: `${words}\n\n${table(head, rows)}`, facts };
}

interface Part {
  readonly key: string;
  readonly type: string;
  readonly bytes: number;
}

async function bytesOf(client: Redis, sessionId: string): Promise<readonly Part[]> {
  const usage = async (key: string) => Number(await client.call('MEMORY', 'USAGE', key, 'SAMPLES', '0'));
  const { due, listing, channel: _, ...own } = sessionKeys(sessionId);
  const parts: Part[] = [];
  // Whatever a session stores has its id in its key, under whichever name.
  const bucket = bucketKeys(bucketOf(sessionId));
  const tag = bucket.due.slice(0, -'due'.length);
  const keys = await client.keys(`${tag}*`);
  const prefixOf = (key: string) => key.slice(0, key.length - sessionId.length);
  for (const key of keys.filter((key) => key.endsWith(sessionId)).sort())
    parts.push({
      key: labelOf(prefixOf(key), tag, own),
      type: await client.type(key),
      bytes: await usage(key),
    });
  const sessions = keys.filter((key) => key.startsWith(bucket.sessionPrefix)).length;
  for (const [label, shared] of [
    ['share of the deadline index', keys.filter((key) => key === due)],
    ['share of the listing', keys.filter((key) => key.startsWith(listing))],
  ] as const) {
    let sum = 0;
    for (const key of shared) sum += await usage(key);
    parts.push({
      key: label,
      type: shared.length === 1 ? '1 key' : `${shared.length} keys`,
      bytes: sum / sessions,
    });
  }
  return parts;
}

function labelOf(prefix: string, tag: string, own: Readonly<Record<string, string>>): string {
  const found = Object.entries(own).find(([, key]) => key.startsWith(prefix));
  return found === undefined ? prefix.slice(tag.length) : found[0];
}
