/** Counts the conversations of a tenant that began within a range; the database does the counting. */
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { ArchiveFigures, TenantArchive } from './archive.ts';
import type { Tables } from './database/tables.ts';
import type { FieldCipher } from './field-cipher.ts';
import { firstRowNumber, rowNumberAfter } from './rows/row-number.ts';

const PATTERNS_MAX = 20;

type Range = Parameters<TenantArchive['figures']>[0];

export async function figures(
  db: Kysely<Tables>,
  cipher: FieldCipher,
  tenant: string,
  range: Range,
): Promise<ArchiveFigures> {
  const inRange = began(tenant, range);
  const sessions = db.selectFrom('archived_sessions as s').where(inRange);
  const turns = db
    .selectFrom('archived_sessions as s')
    .innerJoin('archived_turns as t', 't.n', 's.n')
    .where(inRange);

  const totals = await sessions
    .select([
      sql<number>`COUNT(*)`.as('sessions'),
      sql<number>`COALESCE(SUM(s.turn_count), 0)`.as('turns'),
      sql<number>`COALESCE(SUM(CASE WHEN s.turn_count = 1 THEN 1 ELSE 0 END), 0)`.as('abandoned'),
      sql<number>`COALESCE(SUM(CASE WHEN s.answers > 1 THEN 1 ELSE 0 END), 0)`.as('answeredAgain'),
      sql<number>`COALESCE(SUM(s.revised), 0)`.as('revised'),
    ])
    .executeTakeFirstOrThrow();
  const tokens = await turns
    .select([
      sql<number>`COALESCE(SUM(t.prompt_tokens), 0)`.as('prompt'),
      sql<number>`COALESCE(SUM(t.completion_tokens), 0)`.as('completion'),
      sql<number>`COUNT(t.total_ms)`.as('timed'),
    ])
    .executeTakeFirstOrThrow();
  const hours = await sessions
    .select([sql<number>`(s.created_at / 3600000) % 24`.as('hour'), sql<number>`COUNT(*)`.as('count')])
    .groupBy('hour')
    .execute();
  const reasons = await sessions
    .select(['s.end_reason as reason', sql<number>`COUNT(*)`.as('count')])
    .groupBy('s.end_reason')
    .execute();
  const patterns = await sessions
    .where('s.second_question', 'is not', null)
    .select(['s.second_question as pattern', sql<number>`COUNT(*)`.as('count')])
    .groupBy('s.second_question')
    .orderBy('count', 'desc')
    .orderBy('pattern')
    .limit(PATTERNS_MAX * cipher.spellings())
    .execute();

  const { simulatedAnswers } = await db
    .selectFrom('archived_sessions as s')
    .innerJoin('archived_lines as l', 'l.n', 's.n')
    .where(inRange)
    .select(sql<number>`COALESCE(SUM(l.simulated), 0)`.as('simulatedAnswers'))
    .executeTakeFirstOrThrow();

  /** The smallest duration that this share of the turns did not exceed. */
  const totalMsAt = async (share: number): Promise<number | null> => {
    if (tokens.timed === 0) return null;
    const row = await turns
      .where('t.total_ms', 'is not', null)
      .select('t.total_ms as ms')
      .orderBy('t.total_ms')
      .limit(1)
      .offset(Math.ceil(share * tokens.timed) - 1)
      .executeTakeFirst();
    return row?.ms ?? null;
  };

  return {
    sessions: totals.sessions,
    turns: totals.turns,
    turnsPerSession: totals.sessions === 0 ? 0 : totals.turns / totals.sessions,
    abandoned: totals.abandoned,
    byHour: Array.from({ length: 24 }, (_, hour) => hours.find((row) => row.hour === hour)?.count ?? 0),
    byEndReason: Object.fromEntries(reasons.map(({ reason, count }) => [reason, count])),
    secondTurns: mostFrequent(
      patterns.map(({ pattern, count }) => ({ pattern: cipher.readPattern(pattern ?? ''), count })),
    ),
    revisionRate: totals.answeredAgain === 0 ? 0 : totals.revised / totals.answeredAgain,
    promptTokens: tokens.prompt,
    completionTokens: tokens.completion,
    totalMsP50: await totalMsAt(0.5),
    totalMsP99: await totalMsAt(0.99),
    simulatedAnswers,
  };
}

/** Adds up a pattern that is stored under several keys. */
function mostFrequent(patterns: ArchiveFigures['secondTurns']): ArchiveFigures['secondTurns'] {
  const counts = new Map<string, number>();
  for (const { pattern, count } of patterns) counts.set(pattern, (counts.get(pattern) ?? 0) + count);
  return [...counts]
    .map(([pattern, count]) => ({ pattern, count }))
    .sort((one, other) => other.count - one.count)
    .slice(0, PATTERNS_MAX);
}

/** Includes `from`, excludes `to`. */
function began(tenant: string, { from, to }: Range): RawBuilder<boolean> {
  const first = Math.ceil(from ?? 0);
  const after = Math.ceil(to ?? Number.MAX_SAFE_INTEGER);
  return sql<boolean>`s.tenant = ${tenant} AND s.n >= ${firstRowNumber(from)} AND s.n < ${rowNumberAfter(to)}
    AND s.created_at >= ${first} AND s.created_at < ${after}`;
}
