/** Exports and imports whole sessions; each function runs inside a transaction. */

import {
  bucketOf,
  type ImportMode,
  type ImportOutcome,
  type SessionDump,
  type TranscriptRecord,
} from '../contract.ts';
import { frameOf, historyOf, recordOf } from './reads.ts';
import { type Context, find, findCommitted, isHeld } from './writes.ts';

const EVERY_FRAME = -1;

export function exportSession(context: Context, sessionId: string): SessionDump | null {
  const { sql } = context;
  const row = findCommitted(context, sessionId);
  if (row === undefined) return null;
  const { state, userId, createdAt } = row;
  return {
    sessionId,
    record: recordOf(sql, row),
    index: { state: state ?? 'unknown', userId, createdAt: createdAt ?? 0 },
    frames: sql.framesAfter(row.n, 0, EVERY_FRAME).map(frameOf),
    transcript: sql.transcript(row.n).map(({ entry }) => JSON.parse(entry) as TranscriptRecord),
    inbox: sql.inbox(row.n).map(({ entry }) => entry),
    history: historyOf(sql, row),
    messageIds: sql
      .messages(row.n)
      .map(({ id }) => id)
      .sort(),
    held: isHeld(row, context.now(), context.options),
  };
}

export function importSession(context: Context, dump: SessionDump, mode: ImportMode): ImportOutcome {
  const { sql, options } = context;
  const { sessionId, record, index } = dump;
  const now = context.now();
  const found = find(context, sessionId);
  if (found !== undefined && found.version > 0 && mode === 'absent-only') return { kind: 'exists' };
  if (found !== undefined && isHeld(found, now, options)) return { kind: 'held' };
  const former = sql.session(sessionId);
  if (former !== undefined) sql.forget(former.n);

  // Without a token every earlier fence is refused.
  sql.create(sessionId, bucketOf(sessionId), record.epoch, null, record.instance, 0, now);
  const n = sql.session(sessionId)?.n;
  for (const { offset, data, aux } of dump.frames) sql.addFrame(n, offset, data, aux ?? null);
  for (const id of dump.messageIds) sql.addMessage(n, id);
  for (const entry of dump.transcript) sql.addTranscript(n, JSON.stringify(entry));
  for (const entry of dump.inbox) sql.addInbox(n, entry);
  const { version, head, snapshot, dueAt } = record;
  const { history } = dump;
  // A record may be sealed, so its version comes from its place. Only the order matters.
  for (const [place, one] of history.entries()) sql.addHistory(n, version - history.length + 1 + place, one);
  // A sweeper must find waiting input.
  const wakeAt = dump.inbox.length > 0 ? Math.min(dueAt ?? now, now) : dueAt;
  sql.commit(version, null, head, snapshot, dueAt, wakeAt, dump.inbox.length, 0, n);
  sql.relist(index.state, index.userId, index.createdAt, n);
  return { kind: 'imported' };
}
