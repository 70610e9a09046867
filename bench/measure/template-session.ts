/** Makes stored sessions from one that the service itself made: with sockets a million sessions would take an hour. */
import { randomUUID } from 'node:crypto';
import { bucketOf, type SessionDump, type Store } from '../../src/store/contract.ts';
import { openRedisStore } from '../../src/store/redis/open.ts';
import type { RedisServer } from '../../test/support/instance/redis-server.ts';
import { residents } from './counters.ts';
import type { Program } from './program.ts';
import type { Stage } from './stage.ts';

const GROUP = 'template';
const ASLEEP_WITHIN_MS = 30_000;
const IMPORTS_AT_ONCE = 256;

export function openStore({ url }: RedisServer): Promise<Store> {
  return openRedisStore({
    url,
    leaseMs: 3_000,
    frameLogMax: 20_000,
    inboxMax: 256,
    commandTimeoutMs: 60_000,
  });
}

/** A session without a client, after a turn of this many tokens if they are not 0. The service must hibernate soon. */
export async function sleepingSession(stage: Stage, program: Program, tokens: number): Promise<string> {
  const { generator } = stage;
  const { sessionIds } = await generator.run('open', { group: GROUP, port: program.port, count: 1 });
  if (tokens > 0) await generator.run('talk', { group: GROUP, tokens });
  await generator.run('end', { group: GROUP, how: 'drop' });
  const deadlineMs = performance.now() + ASLEEP_WITHIN_MS;
  while ((await residents(program)) > 0) {
    if (performance.now() > deadlineMs) throw new Error('a session without a client did not fall asleep');
    await new Promise((resume) => setTimeout(resume, 50));
  }
  return sessionIds[0] ?? '';
}

export async function exported(store: Store, sessionId: string): Promise<SessionDump> {
  const dump = await store.export(sessionId);
  if (dump === null) throw new Error('the template session is gone');
  return dump;
}

/** Stores `count` copies through the service's own import, under new ids, each one millisecond later. */
export async function storeCopies(
  store: Store,
  dump: SessionDump,
  count: number,
  bucket?: number,
): Promise<void> {
  const { record, frames } = dump;
  let made = 0;
  const lane = async () => {
    while (made < count) {
      const sessionId = newId(bucket);
      const named = (text: string) => text.replaceAll(dump.sessionId, sessionId);
      const later = made;
      made += 1;
      const copy = {
        ...dump,
        sessionId,
        record: { ...record, snapshot: named(record.snapshot), dueAt: (record.dueAt ?? 0) + later },
        index: { ...dump.index, createdAt: dump.index.createdAt + later },
        frames: frames.map((frame) => ({ ...frame, data: named(frame.data) })),
      };
      const { kind } = await store.import(copy, 'absent-only');
      if (kind !== 'imported') throw new Error(`a copy of a session was not stored: ${kind}`);
    }
  };
  await Promise.all(Array.from({ length: IMPORTS_AT_ONCE }, lane));
}

function newId(bucket: number | undefined): string {
  for (;;) {
    const id = randomUUID();
    if (bucket === undefined || bucketOf(id) === bucket) return id;
  }
}
