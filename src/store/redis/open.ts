/**
 * Opens the Redis store. A write passes `writes.ts` (arguments), `batch.ts` (one write per event-loop turn), `*.lua` (the
 * rules) and `replies.ts`. Hints come back on a connection of their own: `subscriber.ts`.
 */
import { randomUUID } from 'node:crypto';
import { HISTORY_MAX, type Store, type StoreHealth, type StoreOptions } from '../contract.ts';
import { transcriptOf } from '../log.ts';
import { sharedPurge } from '../purge.ts';
import { createBatch } from './batch.ts';
import { connect, type Log, logConnections, parseAddress, untilReady } from './connection.ts';
import { redisFailure } from './failure.ts';
import { bucketKeys, INSTANCES_KEY, instanceChannel, PURGE_KEY, sessionKeys, tallyKey } from './keys.ts';
import { countByState, countOfUser, listSessions } from './listing.ts';
import { createLocks } from './lock.ts';
import { exportSession, importSession, readPage } from './moving.ts';
import { purge } from './purge.ts';
import { integer, record, sessionHistory, swept, text, texts, transcriptPage } from './replies.ts';
import { scripts } from './scripts.ts';
import { deniedText, PROBED_CALLS } from './server/acl.ts';
import { assertUsable, type Facts, inspect } from './server/boot.ts';
import { createSubscriber } from './subscriber.ts';
import { createWrites } from './writes.ts';

export interface RedisStoreOptions extends StoreOptions {
  /** `redis://`, `rediss://`, `redis+cluster://host:port,host:port` or `rediss+cluster://…`. */
  readonly url: string;
  /** Allows a Redis that may evict live sessions. */
  readonly allowEviction?: boolean;
  readonly commandTimeoutMs?: number;
  readonly log?: Log;
}

const COMMAND_TIMEOUT_MS = 3_000;
/** Also what one reply of Redis, and the parsing of it, holds up others. */
const TRANSCRIPT_PAGE_BYTES = 131_072;
const BOOT_TIMEOUT_MS = 10_000;

export async function openRedisStore(options: RedisStoreOptions): Promise<Store> {
  const log: Log = options.log ?? (() => {});
  const address = parseAddress(options.url);
  const timeoutMs = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
  const commits = connect(address, 'commit', timeoutMs);
  const listening = connect(address, 'hints', timeoutMs);
  const clients = [commits, listening];
  let facts: readonly Facts[] = [];

  logConnections(clients, address.label, log);
  try {
    await Promise.all(clients.map((client) => untilReady(client, address.label, BOOT_TIMEOUT_MS)));
    facts = await inspect(commits);
    for (const node of facts) assertUsable(node, address.label, options.allowEviction === true, log);
  } catch (error) {
    for (const client of clients) client.disconnect();
    throw redisFailure(error);
  }

  commits.on('ready', () => {
    const before = runIdsOf(facts);
    inspect(commits).then(
      (found) => {
        facts = found;
        if (runIdsOf(facts) === before) return;
        const words = 'another Redis process answers: writes that only the former one had are lost';
        log('warn', words, { redis: address.label, durability: durability() });
      },
      () => {},
    );
  });

  const deniedCalls = async () => texts(await batch.call(scripts.probe, [INSTANCES_KEY], PROBED_CALLS));
  const durability = () => [...new Set(facts.map((node) => node.durability))].join(', ');
  const isSlotted = () => facts.some((node) => node.isSlotted);
  const batch = createBatch(commits, timeoutMs);
  const writes = createWrites(batch, createLocks(batch, options.leaseMs), options);
  const subscriber = createSubscriber(listening);
  const purgeFiles = sharedPurge(async () => {
    const note = await batch.call(scripts.notedPurge, [PURGE_KEY], []);
    if (note === null) return;
    await purge(commits, log);
    await batch.call(scripts.settlePurge, [PURGE_KEY], [text(note)]);
  });

  const denied = await deniedCalls().catch(() => []);
  if (denied.length > 0) log('warn', deniedText(denied), { redis: address.label });

  return {
    kind: 'redis',
    ...writes,
    async read(sessionId) {
      const { session, inbox } = sessionKeys(sessionId);
      return record(await batch.call(scripts.read, [session, inbox], []));
    },
    async readLog(sessionId, after, limit) {
      return readPage(batch, sessionId, after, limit);
    },
    async readTranscript(sessionId) {
      const keys = [sessionKeys(sessionId).transcript];
      return transcriptOf(async (from) =>
        transcriptPage(await batch.call(scripts.transcript, keys, [from, TRANSCRIPT_PAGE_BYTES]), from),
      );
    },
    async readHistory(sessionId) {
      const { session, inbox, history, pages } = sessionKeys(sessionId);
      const reply = await batch.call(scripts.history, [session, inbox, history, pages], []);
      return sessionHistory(reply, options.historyMax ?? HISTORY_MAX);
    },
    list: (query) => listSessions(batch, query),
    countByState: () => countByState(batch),
    countOfUser: (userId, upTo) => countOfUser(batch, isSlotted(), userId, upTo),
    async tally(name, by, expiresAt) {
      return integer(await batch.call(scripts.tally, [tallyKey(name)], [by, expiresAt]));
    },
    export: (sessionId) => exportSession(batch, options, sessionId),
    import: (dump, mode) => importSession(batch, options, dump, mode),
    async readInbox(sessionId) {
      return texts(await batch.call(scripts.list, [sessionKeys(sessionId).inbox], []));
    },
    async sweep(bucket, now, limit, visibilityMs) {
      const { due, listing, channel, sessionPrefix, lockPrefix, inboxPrefix, ...rest } = bucketKeys(bucket);
      const { logPrefix, transcriptPrefix, historyPrefix, pagesPrefix } = rest;
      const ended = [logPrefix, transcriptPrefix, historyPrefix, pagesPrefix];
      const prefixes = [sessionPrefix, lockPrefix, inboxPrefix, ...ended];
      const args = [now, limit, visibilityMs, ...prefixes];
      return swept(await batch.call(scripts.sweep, [due, listing, channel], args));
    },
    ...subscriber,
    async signal(instance, message) {
      await batch.send('spublish', [instanceChannel(instance), message]);
    },
    async heartbeat(instance, ttlMs) {
      return texts(await batch.call(scripts.heartbeat, [INSTANCES_KEY], [instance, ttlMs]));
    },
    async deregister(instance) {
      await batch.call(scripts.deregister, [INSTANCES_KEY], [instance]);
    },
    async notePurge() {
      await batch.call(scripts.notePurge, [PURGE_KEY], [randomUUID()]);
    },
    async purge() {
      try {
        await purgeFiles();
      } catch (error) {
        throw redisFailure(error);
      }
    },
    async health(): Promise<StoreHealth> {
      const versions = [...new Set(facts.map((node) => node.version))].join(', ');
      const runIds = facts.map((node) => node.runId.slice(0, 8)).join(', ');
      const known = { kind: 'redis', durability: durability() } as const;
      try {
        const denied = await deniedCalls();
        if (denied.length > 0) return { ...known, ok: false, detail: deniedText(denied) };
        // A hello starts with a watch, so without hints no client can attach.
        if (listening.status !== 'ready') return { ...known, ok: false, detail: 'no connection for hints' };
        return { ...known, ok: true, detail: `redis ${versions} at ${address.label}, run ${runIds}` };
      } catch (error) {
        return { ...known, ok: false, detail: redisFailure(error).message };
      }
    },
    async close() {
      batch.close();
      for (const client of clients) client.disconnect();
    },
  };
}

function runIdsOf(facts: readonly Facts[]): string {
  return facts
    .map((node) => node.runId)
    .sort()
    .join();
}
