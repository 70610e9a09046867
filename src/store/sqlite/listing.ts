/** Sessions in the order in which they were made, then by id; and how many are in which state. */

import type { ListQuery, SessionPage } from '../contract.ts';
import { readCursor, writeCursor } from '../cursor.ts';
import type { Sql } from './sql.ts';

type Start = readonly [createdAt: number, id: string];

export function startOf({ cursor }: ListQuery): Start {
  if (cursor === undefined) return [Number.MIN_SAFE_INTEGER, ''];
  const [createdAt, id] = readCursor(cursor, ['number', 'string']);
  return [Number(createdAt), String(id)];
}

export function page(sql: Sql, query: ListQuery, after: Start): SessionPage {
  const { state, userId, limit } = query;
  const rest = [...after, limit];
  const rows =
    userId === undefined
      ? state === undefined
        ? sql.listed.all(...rest)
        : sql.listed.ofState(state, ...rest)
      : state === undefined
        ? sql.listed.ofUser(userId, ...rest)
        : sql.listed.ofUserInState(userId, state, ...rest);
  const last = rows.at(-1);
  const isFull = last !== undefined && rows.length === limit;
  return {
    sessionIds: rows.map(({ id }) => id),
    cursor: isFull ? writeCursor([last.createdAt, last.id]) : null,
  };
}

export function countByState(sql: Sql): Readonly<Record<string, number>> {
  return Object.fromEntries(sql.counts().map(({ state, sessions }) => [state, sessions]));
}
