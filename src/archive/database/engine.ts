/** Defines the differences between the two databases; all other files of the archive serve both. */
import type { AliasedRawBuilder, Kysely, RawBuilder, Transaction } from 'kysely';
import type { FieldCipher } from '../field-cipher.ts';
import type { Tables } from './tables.ts';

/** The SQL in which the two databases differ. */
export interface SqlDialect {
  /** The type of a whole number up to 2^53. */
  readonly whole: 'integer' | 'bigint';
  /** Creates the full-text index over `archived_sessions.words`, which the database keeps up to date. */
  readonly fullText: readonly string[];
  /** Filters `archived_sessions AS s` for sessions with all words of one of these sets. */
  matching(sets: readonly (readonly string[])[]): Matching;
}

/** A table of row numbers to join if the index is a table, else a condition. */
export type Matching =
  | { readonly kind: 'joined'; readonly found: AliasedRawBuilder<{ readonly n: number }, 'found'> }
  | { readonly kind: 'filtered'; readonly where: RawBuilder<boolean> };

/** An open database. */
export interface OpenDatabase {
  readonly kind: 'sqlite' | 'postgres';
  readonly db: Kysely<Tables>;
  readonly dialect: SqlDialect;
  /** Waits for erasures that write tombstones, and keeps new ones out until the transaction ends. */
  keepErasuresOut(tx: Transaction<Tables>): Promise<void>;
  /** Rewrites the tables' files without the bytes of deleted rows. */
  purge(): Promise<void>;
  /** The schema is complete: every later write runs in a transaction. */
  migrated(): void;
  /** Reports a failed statement; `trouble` then tests the database. */
  failed(cause: unknown): void;
  /** Null if the database takes writes, else the reason for an operator. Rejects without an answer. */
  trouble(): Promise<string | null>;
  /** Frees the space of deleted rows. */
  tidy(): Promise<void>;
  close(): Promise<void>;
}

export interface Engine extends OpenDatabase {
  readonly cipher: FieldCipher;
}
