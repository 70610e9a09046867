/**
 * Describes the tables of the archive in both databases; `migrations.ts` creates them.
 *
 *  TABLE-1  `n` identifies one life of a session and orders all lives by their beginning (`row-number.ts`).
 *  TABLE-2  Lines and turns reference `archived_sessions.n` and are deleted with it, so no row is left over.
 *  TABLE-3  `store` computes words, pattern and revision, so searches and figures read columns, never conversations.
 */
import type { EndReason } from '../../../machines/vocabulary.ts';
import type { ArchivedLine, ArchivedTurn } from '../archive.ts';

export interface SessionRow {
  readonly n: number;
  readonly session_id: string;
  readonly created_at: number;
  /** Empty: the default tenant. */
  readonly tenant: string;
  readonly ended_at: number;
  readonly end_reason: EndReason;
  readonly client_id: string | null;
  readonly user_id: string | null;
  readonly diagnosis_id: string | null;
  /** JSON. */
  readonly patient: string;
  readonly turn_count: number;
  readonly answers: number;
  /** 1 if a later answer differs from the first. */
  readonly revised: number;
  readonly second_question: string | null;
  /** Input of the full-text index. */
  readonly words: string;
  /** Null: its owner kept none, or it named an erased user. */
  readonly history: string | null;
}

export interface LineRow {
  readonly n: number;
  readonly place: number;
  readonly role: ArchivedLine['role'];
  readonly author: string | null;
  readonly content: string;
  readonly turn_id: string;
  readonly at: number;
  /** 1 if a simulator answered. */
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

/** A user whom the history of a session names besides its owner. */
export interface NamedRow {
  readonly n: number;
  readonly user_id: string;
}

/** A deletion whose bytes may still be in the files (`purge.ts`). */
export interface ErasureRow {
  readonly id: string;
}

/** A tombstone (`tombstones.ts`). */
export interface ErasedRow {
  readonly who: string;
  readonly until: number;
}

export interface Tables {
  readonly archived_sessions: SessionRow;
  readonly archived_lines: LineRow;
  readonly archived_turns: TurnRow;
  readonly archived_named: NamedRow;
  readonly archive_erasures: ErasureRow;
  readonly archive_erased: ErasedRow;
}
