/** Reads of the simulated store, as pure functions of its state. */

import type {
  ListQuery,
  LogPage,
  SessionDump,
  SessionIndex,
  SessionPage,
} from '../../../src/store/contract.ts';
import { readCursor, writeCursor } from '../../../src/store/cursor.ts';
import { type Row, recordOf, type StoreState } from './store-row.ts';

/** Sessions that were committed and whose time is not up, with how each is listed. */
function* listed({ rows }: StoreState, now: number): Generator<readonly [string, SessionIndex]> {
  for (const [sessionId, { version, index, expiresAt }] of rows)
    if (version > 0 && index !== null && expiresAt > now) yield [sessionId, index];
}

export function listPage(
  kept: StoreState,
  now: number,
  { states, userId, cursor, limit }: ListQuery,
): SessionPage {
  const found: string[] = [];
  for (const [sessionId, index] of listed(kept, now)) {
    if (states !== undefined && !states.includes(index.state)) continue;
    if (userId !== undefined && index.userId !== userId) continue;
    const at = `${String(index.createdAt).padStart(15, '0')} ${sessionId}`;
    if (cursor === undefined || at > String(readCursor(cursor, ['string'])[0])) found.push(at);
  }
  const page = found.sort().slice(0, limit);
  const last = page.length === limit ? page.at(-1) : undefined;
  return {
    sessionIds: page.map((at) => at.slice(16)),
    cursor: last === undefined ? null : writeCursor([last]),
  };
}

export function countByState(kept: StoreState, now: number): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [, { state }] of listed(kept, now)) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

export function dumpOf(sessionId: string, row: Row, held: boolean): SessionDump {
  return {
    sessionId,
    record: recordOf(row),
    index: row.index ?? { state: 'unknown', userId: null, createdAt: 0 },
    frames: row.log,
    transcript: row.transcript,
    inbox: row.inbox,
    history: row.history,
    messageIds: [...row.messageIds].sort(),
    held,
  };
}

export function logPage({ log, head }: Row, after: number, limit: number): LogPage {
  const first = head - log.length + 1;
  const from = Math.max(0, after + 1 - first);
  return { frames: log.slice(from, from + limit), first, head };
}
