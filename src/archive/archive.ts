/**
 * Where ended conversations go before their keys do. No driver's type crosses this line.
 *
 *  V1  `store` is idempotent: a session archived twice (an owner died between archiving and deleting) is one row.
 *  V2  What is erased is gone from every table and index, text search included.
 *  V3  What was erased stays erased: of what had begun by `until`, nothing is stored later, whoever has it in its hands.
 *      That does not show: who stores it is answered as if it were stored.
 *  V4  Times are ms since the epoch. Lists are paged by a cursor; a page costs the same wherever it is.
 */
import type { EndReason } from '../../machines/vocabulary.ts';

export interface ArchivedLine {
  readonly role: 'user' | 'assistant';
  readonly author: string | null;
  readonly content: string;
  readonly turnId: string;
  readonly at: number;
  /** A simulator answered. */
  readonly simulated?: boolean;
}

/** One turn as analytics sees it. */
export interface ArchivedTurn {
  readonly turnId: string;
  readonly startedAt: number;
  readonly outcome: 'completed' | 'failed' | 'cancelled';
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly firstTokenMs: number | null;
  readonly totalMs: number | null;
}

export interface ArchivedSession {
  readonly sessionId: string;
  /** With the session id it names one life of the session: an id may be used again after its end. */
  readonly createdAt: number;
  readonly endedAt: number;
  readonly endReason: EndReason;
  readonly clientId: string | null;
  readonly userId: string | null;
  readonly diagnosisId: string | null;
  readonly patient: Readonly<Record<string, unknown>>;
  readonly turnCount: number;
  readonly lines: readonly ArchivedLine[];
  readonly turns: readonly ArchivedTurn[];
}

export type ArchivedHead = Omit<ArchivedSession, 'lines' | 'turns' | 'patient'>;

export interface SearchQuery {
  /** Words; all must occur in the conversation. Absent: every conversation that fits the rest. */
  readonly text?: string;
  readonly userId?: string;
  readonly diagnosisId?: string;
  readonly from?: number;
  readonly to?: number;
  readonly cursor?: string;
  readonly limit: number;
}

export interface SearchPage {
  readonly hits: readonly (ArchivedHead & { readonly snippet: string | null })[];
  readonly cursor: string | null;
}

export interface ArchiveFigures {
  readonly sessions: number;
  readonly turns: number;
  readonly turnsPerSession: number;
  /** Sessions that ended after one turn. */
  readonly abandoned: number;
  /** Sessions by UTC hour of their creation, 24 numbers. */
  readonly byHour: readonly number[];
  readonly byEndReason: Readonly<Record<string, number>>;
  /** The commonest first words of second questions, with how often. */
  readonly secondTurns: readonly { readonly pattern: string; readonly count: number }[];
  /** Sessions in which a later answer changed the first protocol, over sessions with more than one answer. */
  readonly revisionRate: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalMsP50: number | null;
  readonly totalMsP99: number | null;
  /** Answers that came from a simulator. */
  readonly simulatedAnswers: number;
}

export interface Archive {
  readonly kind: 'sqlite' | 'postgres';
  store(session: ArchivedSession): Promise<void>;
  /** Every life of the session, newest first. */
  read(sessionId: string): Promise<readonly ArchivedSession[]>;
  search(query: SearchQuery): Promise<SearchPage>;
  figures(range: { readonly from?: number; readonly to?: number }): Promise<ArchiveFigures>;
  eraseSession(sessionId: string, until: number): Promise<number>;
  eraseUser(userId: string, until: number): Promise<readonly string[]>;
  /** Deletes what ended before `before`; how many. */
  retire(before: number): Promise<number>;
  /** False also where it does not answer soon: who asks is waited for. */
  health(): Promise<boolean>;
  close(): Promise<void>;
}
