/**
 * The tables of the archive as both databases have them. `migrations.ts` makes them.
 *
 *  T1  `n` names one life of a session and orders them all by their beginning (`place.ts`).
 *  T2  Everything else hangs on `archived_sessions.n` and goes with it: no row can be left behind.
 *  T3  Words, pattern and revision are worked out when a session is stored, so that searching and counting read
 *      columns, never conversations.
 */
import type { EndReason } from '../../../machines/vocabulary.ts';
import type { ArchivedLine, ArchivedTurn } from '../archive.ts';

export interface SessionRow {
  readonly n: number;
  readonly session_id: string;
  readonly created_at: number;
  readonly ended_at: number;
  readonly end_reason: EndReason;
  readonly client_id: string | null;
  readonly user_id: string | null;
  readonly diagnosis_id: string | null;
  /** JSON. */
  readonly patient: string;
  readonly turn_count: number;
  readonly answers: number;
  /** 1 where a later answer differs from the first. */
  readonly revised: number;
  readonly second_question: string | null;
  /** What the full-text index is made of. */
  readonly words: string;
}

export interface LineRow {
  readonly n: number;
  readonly place: number;
  readonly role: ArchivedLine['role'];
  readonly author: string | null;
  readonly content: string;
  readonly turn_id: string;
  readonly at: number;
  /** 1 where a simulator answered. */
  readonly simulated: number;
}

export interface TurnRow {
  readonly n: number;
  readonly place: number;
  readonly turn_id: string;
  readonly started_at: number;
  readonly outcome: ArchivedTurn['outcome'];
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly first_token_ms: number | null;
  readonly total_ms: number | null;
}

/** Rows are deleted, but their bytes may still be in the files: one row for each such deletion. */
export interface ErasureRow {
  readonly id: string;
}

/** `erased.ts` */
export interface ErasedRow {
  readonly who: string;
  readonly until: number;
}

export interface Tables {
  readonly archived_sessions: SessionRow;
  readonly archived_lines: LineRow;
  readonly archived_turns: TurnRow;
  readonly archive_erasures: ErasureRow;
  readonly archive_erased: ErasedRow;
}
