/** Reads sessions and lists them; each function runs inside a transaction. */
import type { ListQuery, LogPage, SessionPage, SessionRecord, StoredFrame } from '../contract.ts';
import { readCursor, writeCursor } from '../cursor.ts';
import { storedFrame, type TranscriptPage } from '../log.ts';
import type { FrameRow, ListedRow, SessionRow, Sql } from './sql.ts';

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

export function historyOf(sql: Sql, { n }: SessionRow): readonly string[] {
  return sql.history(n).map(({ record }) => record);
}

/** Few, because they are read and parsed within one turn of the event loop. */
const TRANSCRIPT_PAGE = 32;

/** `after` is the number of the row before the page. */
export function transcriptPage(sql: Sql, { n }: SessionRow, after: number): TranscriptPage {
  const rows = sql.transcriptAfter(n, after, TRANSCRIPT_PAGE);
  const last = rows.length === TRANSCRIPT_PAGE ? rows.at(-1) : undefined;
  return { entries: rows.map(({ entry }) => entry), next: last?.n ?? null };
}

export function frameOf({ offset, data, aux }: FrameRow): StoredFrame {
  return storedFrame(offset, data, aux);
}

/** The sort key before a page: sessions are in the order of their creation, then of their ids. */
type Start = readonly [createdAt: number, id: string];

export function startOf({ cursor }: ListQuery): Start {
  if (cursor === undefined) return [Number.MIN_SAFE_INTEGER, ''];
  const [createdAt, id] = readCursor(cursor, ['number', 'string']);
  return [Number(createdAt), String(id)];
}

export function page(sql: Sql, query: ListQuery, after: Start): SessionPage {
  const { states, userId, limit } = query;
  const rest = [...after, limit];
  const rowsIn = (state: string) =>
    userId === undefined
      ? sql.listed.ofState(state, ...rest)
      : sql.listed.ofUserInState(userId, state, ...rest);
  const rows =
    states === undefined
      ? userId === undefined
        ? sql.listed.all(...rest)
        : sql.listed.ofUser(userId, ...rest)
      : inOrder(states.flatMap(rowsIn)).slice(0, limit);
  const last = rows.at(-1);
  const isFull = last !== undefined && rows.length === limit;
  return {
    sessionIds: rows.map(({ id }) => id),
    cursor: isFull ? writeCursor([last.createdAt, last.id]) : null,
  };
}

/** The order of the queries: SQLite compares text by its bytes in UTF-8. */
function inOrder(rows: readonly ListedRow[]): readonly ListedRow[] {
  return rows.toSorted(
    (one, other) =>
      one.createdAt - other.createdAt || Buffer.compare(Buffer.from(one.id), Buffer.from(other.id)),
  );
}

export function countByState(sql: Sql): Readonly<Record<string, number>> {
  return Object.fromEntries(sql.counts().map(({ state, sessions }) => [state, sessions]));
}
