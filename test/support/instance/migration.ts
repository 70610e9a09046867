/** Runs the program `migrate` as a process, and fills stores with sessions for it. */

import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import type { SessionDump, Store, StoreOptions } from '../../../src/store/contract.ts';
import { storedFrame } from '../../../src/store/log.ts';
import { spawnBuilt } from './instance.ts';

export const MOVE_OPTIONS: StoreOptions = {
  leaseMs: 500,
  frameLogMax: 20_000,
  inboxMax: 16,
};

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The JSON of its last line; null if a signal came before. */
  readonly summary: Readonly<Record<string, unknown>> | null;
  readonly said: readonly string[];
}

export interface Kill {
  /** The kill comes as soon as the program reports this phase with so many sessions done. */
  readonly during: string;
  readonly after: number;
  readonly signal?: NodeJS.Signals;
}

/** Runs it to its end, or sends a signal on the way. */
export async function migrate(args: readonly string[], kill?: Kill): Promise<Ran> {
  const child = spawnBuilt('migrate.js', args, { LEASE_MS: '500' });
  child.stdin?.end();
  const said: string[] = [];
  let out = '';
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  if (child.stderr === null) throw new Error('migrate has no stderr');
  let due = kill;
  createInterface({ input: child.stderr }).on('line', (line) => {
    said.push(line);
    const done = Number(/ (\d+)\/\d+/.exec(line)?.[1] ?? -1);
    if (due === undefined || !line.startsWith(due.during) || done < due.after) return;
    child.kill(due.signal ?? 'SIGKILL');
    // A second SIGTERM would kill a process that shuts down, because its handlers are gone by then.
    due = undefined;
  });
  const ended = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (code, by) => resolve({ code, signal: by }));
  });
  const last = out.trim().split('\n').at(-1) ?? '';
  return { ...ended, said, summary: last === '' ? null : (JSON.parse(last) as Ran['summary']) };
}

/** A different session for each number; some are larger than others. */
export function sessionOf(n: number, changes: Partial<SessionDump> = {}): SessionDump {
  const kept = n % 50_000 === 7 ? 2_500 : n % 5;
  const head = kept + (n % 3);
  const turns = n % 4;
  return {
    sessionId: `session-${n}`,
    record: {
      version: 1 + (n % 9),
      epoch: 1_600_000_000_000 + n,
      head,
      snapshot: JSON.stringify({ value: 'idle', n, text: 'ä 🙂\n'.repeat(n % 7) }),
      instance: `i${n % 3}`,
      dueAt: n % 11 === 0 ? null : 4_000_000_000_000 + n,
      inboxLength: n % 100 === 0 ? 1 : 0,
    },
    index: {
      state: n % 2 === 0 ? 'idle' : 'connected',
      userId: n % 3 === 0 ? null : `user ${n % 700}`,
      createdAt: 1_600_000_000_000 + (n >> 3),
    },
    frames: Array.from({ length: kept }, (_, index) => {
      const offset = head - kept + index + 1;
      const data = JSON.stringify({ type: 'state', offset, n });
      return storedFrame(offset, data, offset % 2 === 0 ? undefined : `[${n}]`);
    }),
    transcript: Array.from({ length: turns }, (_, turn) => ({
      role: turn % 2 === 0 ? ('user' as const) : ('assistant' as const),
      content: `said ${n}/${turn} é`,
      turnId: `t${turn >> 1}`,
      at: n,
    })),
    inbox: n % 100 === 0 ? [`entry ${n}`] : [],
    history: Array.from({ length: n % 3 }, (_, place) => `[${n},${place}]`),
    messageIds: Array.from({ length: turns }, (_, turn) => `m${turn}`),
    held: false,
    ...changes,
  };
}

const AT_ONCE = 2_000;

export async function fill(store: Store, count: number): Promise<void> {
  for (let from = 0; from < count; from += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, n) => sessionOf(from + n));
    await Promise.all(batch.map((dump) => store.import(dump, 'absent-only')));
  }
}

/** One hash over all stored data of all sessions, and the number of sessions. */
export async function fingerprint(
  store: Store,
): Promise<{ readonly sessions: number; readonly hash: string }> {
  const hashes: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await store.list({ limit: AT_ONCE, ...(cursor === undefined ? {} : { cursor }) });
    for (const dump of await Promise.all(page.sessionIds.map((sessionId) => store.export(sessionId))))
      hashes.push(createHash('sha256').update(JSON.stringify(dump)).digest('hex'));
    if (page.cursor === null) break;
    cursor = page.cursor;
  }
  const hash = createHash('sha256').update(hashes.sort().join()).digest('hex');
  return { sessions: hashes.length, hash };
}
