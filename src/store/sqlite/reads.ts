/** What is read of a session, as plain functions to be run inside a transaction. */
import type { LogPage, SessionRecord, StoredFrame } from '../contract.ts';
import type { FrameRow, SessionRow, Sql } from './sql.ts';

export function recordOf(sql: Sql, row: SessionRow): SessionRecord {
  return {
    version: row.version,
    epoch: row.epoch,
    head: row.head,
    snapshot: sql.snapshot(row.n)?.snapshot ?? '',
    instance: row.instance,
    dueAt: row.dueAt,
    inboxLength: row.inboxLength,
  };
}

export function logPage(sql: Sql, row: SessionRow, after: number, limit: number): LogPage {
  const first = sql.firstOffset(row.n)?.first ?? row.head + 1;
  return { frames: sql.framesAfter(row.n, after, limit).map(frameOf), first, head: row.head };
}

export function frameOf({ offset, data, aux }: FrameRow): StoredFrame {
  return aux === null ? { offset, data } : { offset, data, aux };
}
