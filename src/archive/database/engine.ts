/** What differs between the two databases, and nothing else: all other files of the archive serve both. */
import type { AliasedRawBuilder, Kysely, RawBuilder, Transaction } from 'kysely';
import type { FieldCipher } from '../field-cipher.ts';
import type { Tables } from './tables.ts';

/** Words in SQL that one schema needs two spellings for. */
export interface Spelling {
  /** A whole number up to 2^53. */
  readonly whole: 'integer' | 'bigint';
  /** Makes the full-text index over `archived_sessions.words`, kept by the database itself. */
  readonly fullText: readonly string[];
  /** Narrows `archived_sessions AS s` to the sessions in which all words of one of these sets occur. */
  matching(sets: readonly (readonly string[])[]): Matching;
}

/** A table of numbers to be joined, where the index is a table; else a condition. */
export type Matching =
  | { readonly kind: 'joined'; readonly found: AliasedRawBuilder<{ readonly n: number }, 'found'> }
  | { readonly kind: 'filtered'; readonly where: RawBuilder<boolean> };

/** A database, opened; what is written into it and how is told by its user. */
export interface OpenDatabase {
  readonly kind: 'sqlite' | 'postgres';
  readonly db: Kysely<Tables>;
  readonly spelling: Spelling;
  /** No note of an erasure is written while the transaction lasts, and none that is being written is missed. */
  keepErasuresOut(tx: Transaction<Tables>): Promise<void>;
  /** After it, no byte of a row that was deleted before it is in the files of the tables. Reads all that stays. */
  scrub(): Promise<void>;
  /** The schema stands: everything from here on runs in transactions. */
  migrated(): void;
  /** A statement failed; what it says of the database is remembered until `trouble` finds otherwise. */
  failed(cause: unknown): void;
  /** Null where the database takes writes, else the reason in words for an operator. Rejects where it does not answer. */
  trouble(): Promise<string | null>;
  /** Gives the room of deleted rows back, in passing. */
  tidy(): Promise<void>;
  close(): Promise<void>;
}

export interface Engine extends OpenDatabase {
  readonly ink: FieldCipher;
}
