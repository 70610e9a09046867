/** Fixture of the archive's suite for one database, and builders for its tests. */
import { randomUUID } from 'node:crypto';
import { CompiledQuery } from 'kysely';
import type {
  Archive,
  ArchivedLine,
  ArchivedSession,
  ArchivedTurn,
  SearchQuery,
} from '../../src/archive/archive.ts';
import type { Engine } from '../../src/archive/database/engine.ts';
import { rowNumberOf } from '../../src/archive/rows/row-number.ts';
import { sessionRow } from '../../src/archive/rows/rows.ts';
import { pageOf } from '../../src/archive/search/search.ts';

export interface ArchiveFixture {
  readonly archive: Archive;
  /** The engine below the archive, for query plans and bulk rows. */
  readonly engine: Engine;
  /** Opens another handle on the same archive, like another instance. */
  again(): Promise<Archive>;
  /** Whether a file of the database contains the text, read as bytes; null without files. */
  holds(text: string): Promise<boolean | null>;
  stop(): Promise<void>;
}

export type ArchiveFactory = () => Promise<ArchiveFixture>;

/** 2026-03-02, 09:00 UTC. */
export const MORNING = Date.UTC(2026, 2, 2, 9);
export const HOUR_MS = 3_600_000;
/** The `until` of the tests' erasures; their sessions begin before it. */
export const ERASED_AT = MORNING + 24 * HOUR_MS;

export function sessionOf(changes: Partial<ArchivedSession> = {}): ArchivedSession {
  const createdAt = changes.createdAt ?? MORNING;
  const lines = changes.lines ?? dialogue(['I have a headache.', 'Rest, and drink water.']);
  return {
    sessionId: randomUUID(),
    createdAt,
    tenant: '',
    endedAt: createdAt + HOUR_MS,
    endReason: 'closed',
    clientId: null,
    userId: 'dr-who',
    diagnosisId: null,
    patient: { age: 45 },
    turnCount: lines.filter(({ role }) => role === 'user').length,
    turns: [],
    ...changes,
    lines,
  };
}

/** Questions and answers, alternating. */
export function dialogue(contents: readonly string[], author: string | null = null): ArchivedLine[] {
  return contents.map((content, index) => {
    const turnId = `turn-${Math.floor(index / 2)}`;
    const isQuestion = index % 2 === 0;
    const role = isQuestion ? 'user' : 'assistant';
    return { role, author: isQuestion ? author : null, content, turnId, at: MORNING + index };
  });
}

export function turnOf(changes: Partial<ArchivedTurn> = {}): ArchivedTurn {
  return {
    turnId: 'turn-0',
    startedAt: MORNING,
    outcome: 'completed',
    promptTokens: 100,
    completionTokens: 20,
    firstTokenMs: 12.5,
    totalMs: 250,
    ...changes,
  };
}

/** Every hit of a search, page by page. */
export async function everyHit(archive: Archive, query: SearchQuery): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await archive.of('').search(cursor === undefined ? query : { ...query, cursor });
    found.push(...page.hits.map(({ sessionId }) => sessionId));
    if (page.cursor === null) return found;
    cursor = page.cursor;
  }
}

const ROWS_PER_INSERT = 500;

/** Inserts the rows of many sessions that `store` would write. */
export async function fill(
  { db, kind, cipher }: Engine,
  sessions: readonly ArchivedSession[],
): Promise<void> {
  const rows = sessions.map((session) => ({
    ...sessionRow(session, cipher),
    n: rowNumberOf(session.createdAt, 0),
  }));
  for (let start = 0; start < rows.length; start += ROWS_PER_INSERT) {
    await db
      .insertInto('archived_sessions')
      .values(rows.slice(start, start + ROWS_PER_INSERT))
      .execute();
  }
  // PostgreSQL analyses on its own within a minute; until then its plans are guesses.
  if (kind === 'postgres') await db.executeQuery(CompiledQuery.raw('ANALYZE'));
}

/** The database's query plan for a search. */
export async function planOf(engine: Engine, query: SearchQuery): Promise<string> {
  const { sql, parameters } = pageOf(engine, '', query).compile();
  const explain = engine.kind === 'sqlite' ? 'EXPLAIN QUERY PLAN' : 'EXPLAIN (COSTS OFF)';
  const { rows } = await engine.db.executeQuery(CompiledQuery.raw(`${explain} ${sql}`, [...parameters]));
  return rows
    .map((row) => Object.entries(Object(row)))
    .map((columns) => columns.find(([name]) => name === 'detail' || name === 'QUERY PLAN')?.[1])
    .join('\n');
}

/** The number of blocks that PostgreSQL reads for a search. */
export async function blocksOf(engine: Engine, query: SearchQuery): Promise<number> {
  const { sql, parameters } = pageOf(engine, '', query).compile();
  const explain = CompiledQuery.raw(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${sql}`, [...parameters]);
  const { rows } = await engine.db.executeQuery<{
    readonly 'QUERY PLAN': readonly { readonly Plan: Readonly<Record<string, unknown>> }[];
  }>(explain);
  const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
  return Number(plan?.['Shared Hit Blocks']) + Number(plan?.['Shared Read Blocks']);
}
