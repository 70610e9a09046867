/**
 * Defines the archive of ended conversations. An owner archives a session before it deletes the session's keys. No driver's
 * type crosses this line.
 *
 *  ARCHIVE-1  `store` is idempotent: a session archived twice (its owner died before it deleted the keys) is one row.
 *  ARCHIVE-2  An erasure removes a session from every table and index, text search included.
 *  ARCHIVE-3  Erasure is final: afterwards `store` ignores a session that began by `until`, and its caller gets the same
 *             answer as for a stored session.
 *  ARCHIVE-4  Times are ms since the epoch. Lists are paged by a cursor; every page costs the same.
 *  ARCHIVE-5  A tenant finds, counts and erases only its own conversations. A query without a tenant cannot be written.
 *  ARCHIVE-6  An erased user takes along every history that names the user, also that of another owner's session.
 */
import type { EndReason } from '../../machines/vocabulary.ts';

export interface ArchivedLine {
  readonly role: 'user' | 'assistant';
  readonly author: string | null;
  readonly content: string;
  readonly turnId: string;
  readonly at: number;
  /** True if a simulator answered. */
  readonly simulated?: boolean;
}

/** One turn, for analytics. */
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
  /** Names one life of the session, together with its id: a client may reuse the id after the end. */
  readonly createdAt: number;
  /** Empty: the default tenant. */
  readonly tenant: string;
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

/** The transitions of a session, as its owner recorded them: a text that the archive does not read. */
export interface ArchivedHistory {
  readonly text: string;
  /** Users whom the text names besides the owner. Without them an erasure could not find it. */
  readonly users: readonly string[];
}

/** The history of one life of a session. */
export interface StoredHistory {
  readonly createdAt: number;
  readonly endedAt: number;
  readonly userId: string | null;
  readonly text: string;
}

export type ArchivedHead = Omit<ArchivedSession, 'lines' | 'turns' | 'patient'>;

export interface SearchQuery {
  /** Words that must all occur in the conversation. Absent: no filter by text. */
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
  /** The most frequent first words of second questions. */
  readonly secondTurns: readonly { readonly pattern: string; readonly count: number }[];
  /** Share of the sessions with several answers in which a later answer changed the first protocol. */
  readonly revisionRate: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalMsP50: number | null;
  readonly totalMsP99: number | null;
  /** Number of answers from a simulator. */
  readonly simulatedAnswers: number;
}

/** The conversations of one tenant. */
export interface TenantArchive {
  /** Every life of the session, newest first. */
  read(sessionId: string): Promise<readonly ArchivedSession[]>;
  /** Of every life of the session that has one, newest first. */
  histories(sessionId: string): Promise<readonly StoredHistory[]>;
  search(query: SearchQuery): Promise<SearchPage>;
  figures(range: { readonly from?: number; readonly to?: number }): Promise<ArchiveFigures>;
  /** Calls `found` before it commits a deletion, so that the caller can note what else must follow it. */
  eraseSession(sessionId: string, until: number, found?: () => Promise<void>): Promise<number>;
  eraseUser(userId: string, until: number, found?: () => Promise<void>): Promise<readonly string[]>;
}

export interface Archive {
  readonly kind: 'sqlite' | 'postgres';
  store(session: ArchivedSession, history?: ArchivedHistory | null): Promise<void>;
  /** ARCHIVE-5 */
  of(tenant: string): TenantArchive;
  /** Deletes sessions that ended before `before`; returns their number. */
  retire(before: number): Promise<number>;
  /** False also without a prompt answer, because a health check must not hang. */
  health(): Promise<boolean>;
  close(): Promise<void>;
}
