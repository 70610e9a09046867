/** A session out of this store and into it, whole, as plain functions to be run inside a transaction. */

import {
  bucketOf,
  type ImportMode,
  type ImportOutcome,
  type SessionDump,
  type TranscriptRecord,
} from '../contract.ts';
import { frameOf, recordOf } from './reads.ts';
import { type Context, find, isHeld } from './writes.ts';

const EVERY_FRAME = -1;

export function exportSession(desk: Context, sessionId: string): SessionDump | null {
  const { sql } = desk;
  const row = find(desk, sessionId);
  if (row === undefined || row.version === 0) return null;
  const { state, userId, createdAt } = row;
  return {
    sessionId,
    record: recordOf(sql, row),
    index: { state: state ?? 'unknown', userId, createdAt: createdAt ?? 0 },
    frames: sql.framesAfter(row.n, 0, EVERY_FRAME).map(frameOf),
    transcript: sql.transcript(row.n).map(({ entry }) => JSON.parse(entry) as TranscriptRecord),
    inbox: sql.inbox(row.n).map(({ entry }) => entry),
    messageIds: sql
      .messages(row.n)
      .map(({ id }) => id)
      .sort(),
    held: isHeld(row, desk.now(), desk.options),
  };
}

export function importSession(desk: Context, dump: SessionDump, mode: ImportMode): ImportOutcome {
  const { sql, options } = desk;
  const { sessionId, record, index } = dump;
  const now = desk.now();
  const found = find(desk, sessionId);
  if (found !== undefined && found.version > 0 && mode === 'absent-only') return { kind: 'exists' };
  if (found !== undefined && isHeld(found, now, options)) return { kind: 'held' };
  const former = sql.session(sessionId);
  if (former !== undefined) sql.forget(former.n);

  // No token, so every fence of the time before is refused.
  sql.create(sessionId, bucketOf(sessionId), record.epoch, null, record.instance, 0, now);
  const n = sql.session(sessionId)?.n;
  for (const { offset, data, aux } of dump.frames) sql.addFrame(n, offset, data, aux ?? null);
  for (const id of dump.messageIds) sql.addMessage(n, id);
  for (const entry of dump.transcript) sql.addTranscript(n, JSON.stringify(entry));
  for (const entry of dump.inbox) sql.addInbox(n, entry);
  const { version, head, snapshot, dueAt } = record;
  // Input must be found even if nobody reads it.
  const wakeAt = dump.inbox.length > 0 ? Math.min(dueAt ?? now, now) : dueAt;
  sql.commit(version, null, head, snapshot, dueAt, wakeAt, dump.inbox.length, 0, n);
  sql.relist(index.state, index.userId, index.createdAt, n);
  return { kind: 'imported' };
}
