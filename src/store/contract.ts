/**
 * Defines what every store promises about sessions. No driver's type crosses this line.
 *
 *  STORE-1  One writer: `claim` gives at most one live fence per session, and every write names its fence. A write with an
 *           overtaken fence returns `fenced` and changes nothing. An expired lease still writes until the next claim.
 *  STORE-2  `commit` and `append` are atomic, and idempotent by their `writeId`: a resend after a lost reply returns the
 *           first outcome. At most one write of a session is in flight.
 *  STORE-3  Versions of a session are 1, 2, 3 … without a gap; so are the offsets of its frames.
 *  STORE-4  A session takes each message id at most once in its life.
 *  STORE-5  An inbox entry leaves the inbox in the write that applies it.
 *  STORE-6  A write that ends the session removes every trace of it.
 *  STORE-7  An outcome is a value. A rejected promise leaves the outcome unknown: retry with the same `writeId`.
 *  STORE-8  Epochs of a session only grow. A claim takes the larger of the stored epoch plus one and the store's clock in
 *           ms, so a store that lost acknowledged writes never repeats an epoch of the lost timeline.
 *  STORE-9  A committed session stays until a write ends it, however long no instance runs. Time removes only a claim that
 *           never committed.
 */
import { crc32 } from 'node:zlib';

/**
 * One durable frame of a session's log. `data` is the JSON that clients get, byte for byte; `offset`, `type` and `epoch`
 * are copies of its fields.
 */
export interface StoredFrame {
  readonly offset: number;
  readonly type: string;
  /** The claim under which the frame was stored. */
  readonly epoch: number;
  readonly data: string;
  /**
   * JSON that a continuation needs and no client sees. A store may drop it with the first commit that no longer keeps the
   * frame (`keepFrom`).
   */
  readonly aux?: string;
}

/** The right to write to one session, from one claim. */
export interface Fence {
  readonly sessionId: string;
  readonly instance: string;
  readonly token: string;
  readonly epoch: number;
}

/** A session as a claim or a read returns it. */
export interface SessionRecord {
  readonly version: number;
  readonly epoch: number;
  /** The log's head: the offset of the newest frame, 0 before the first. */
  readonly head: number;
  /** The stored snapshot as JSON. */
  readonly snapshot: string;
  /** Instance of the last claim. */
  readonly instance: string;
  /** The session's next deadline in ms since the epoch, or null. */
  readonly dueAt: number | null;
  readonly inboxLength: number;
}

export type ClaimOutcome =
  | { readonly kind: 'claimed'; readonly fence: Fence; readonly record: SessionRecord | null }
  /** Another live claim holds the session; `instance` is null if the store cannot name its holder. */
  | { readonly kind: 'held'; readonly instance: string | null; readonly leaseLeftMs: number };

export interface TranscriptEntry {
  /** A summary replaces the turns up to and including its `turnId`. */
  readonly role: 'user' | 'assistant' | 'summary';
  readonly content: string;
  readonly turnId: string;
  readonly at: number;
  /** User id of the author, where known. */
  readonly author?: string;
  /** True if a simulator answered. */
  readonly simulated?: boolean;
}

/** The transcript is append-only: forgetting a turn is an entry too. */
export type TranscriptRecord = TranscriptEntry | { readonly forget: string };

/** The fields by which sessions are listed and counted; each commit stores them. tenant-index.ts makes the names. */
export interface SessionIndex {
  /** One word, without a space. It names the session's tenant, too. */
  readonly state: string;
  /** The user within the tenant. */
  readonly userId: string | null;
  readonly createdAt: number;
}

export interface Commit {
  readonly writeId: string;
  /** The version on which this commit builds; 0 creates the session. The new version is one more. */
  readonly expectedVersion: number;
  /** Head of the log before the frames of this commit. */
  readonly expectedHead: number;
  readonly snapshot: string;
  readonly frames: readonly StoredFrame[];
  readonly transcript: readonly TranscriptRecord[];
  /** Message ids that this commit takes; if one is already taken, the store writes nothing. */
  readonly messageIds: readonly string[];
  /** The record of this transition, which the store keeps with it. A store without a history drops it. */
  readonly history?: string;
  /** Number of entries that this write takes from the front of the inbox. */
  readonly inboxTaken: number;
  readonly dueAt: number | null;
  readonly index: SessionIndex;
  /** Sends a hint to the instances that watch this session: some hold its sockets without owning it. */
  readonly notify: boolean;
  /** See `Append`. */
  readonly keepFrom?: number;
  /** Ends the session: the store deletes all its keys and hints `frames` to watchers. */
  readonly end: boolean;
  /** With `end`: the hint also carries the tail of the log (`tailOf`), which watchers can no longer read. */
  readonly tail?: boolean;
}

export interface Append {
  readonly writeId: string;
  readonly expectedHead: number;
  readonly frames: readonly StoredFrame[];
  readonly inboxTaken: number;
  readonly notify: boolean;
  /** The frame at this offset and all later ones stay, however long the log is. */
  readonly keepFrom?: number;
}

export type CommitOutcome =
  | { readonly kind: 'committed'; readonly inboxLength: number }
  | { readonly kind: 'fenced' }
  /** The stored version or head differs: the caller's state is stale. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'duplicate'; readonly messageId: string };

export type AppendOutcome = Exclude<CommitOutcome, { readonly kind: 'duplicate' }>;

export type ReleaseOutcome =
  | { readonly kind: 'released' }
  /** The inbox has input: the owner must take it first. */
  | { readonly kind: 'pending' }
  | { readonly kind: 'fenced' };

export type RenewOutcome =
  | { readonly kind: 'renewed'; readonly inboxLength: number }
  | { readonly kind: 'fenced' };

export type PushOutcome =
  /** `owner` is the instance that holds the session; null if none does, so the caller may claim it. */
  | { readonly kind: 'pushed'; readonly owner: string | null }
  | { readonly kind: 'absent' }
  | { readonly kind: 'full' };

/** A session and its history, as stored at one moment. */
export interface SessionHistory {
  readonly record: SessionRecord;
  /** The newest records, oldest first. */
  readonly history: readonly string[];
}

export interface LogPage {
  readonly frames: readonly StoredFrame[];
  /** Offset of the oldest frame kept; head + 1 if none is. */
  readonly first: number;
  readonly head: number;
}

export interface Swept {
  readonly due: readonly string[];
  /** Time of the bucket's next sweep; at most `now` if more sessions are already due, null if none has a deadline. */
  readonly nextAt: number | null;
  /** Sessions in the deadline index whose data is gone. The sweep removed their remains. */
  readonly lost: readonly string[];
}

export interface ListQuery {
  /** Only sessions in these states of the index, each named once; absent: in any. */
  readonly states?: readonly string[];
  /** As the index names the user. */
  readonly userId?: string;
  /** From the previous page. The store throws STORE_CURSOR for a cursor that it never wrote. */
  readonly cursor?: string;
  readonly limit: number;
}

export interface SessionPage {
  readonly sessionIds: readonly string[];
  /** Start of the next page; null after the last. */
  readonly cursor: string | null;
}

/** Everything that a store holds of one session, for another store. */
export interface SessionDump {
  readonly sessionId: string;
  readonly record: SessionRecord;
  readonly index: SessionIndex;
  /** Every frame kept; the last one is at the head. */
  readonly frames: readonly StoredFrame[];
  /** As written, including forgotten entries and the records that forget them. */
  readonly transcript: readonly TranscriptRecord[];
  readonly inbox: readonly string[];
  readonly history: readonly string[];
  /** Sorted, so that equal sessions have equal dumps. */
  readonly messageIds: readonly string[];
  /** A live claim holds the session, so the dump may be outdated. */
  readonly held: boolean;
}

export type ImportMode = 'absent-only' | 'replace';

export type ImportOutcome =
  | { readonly kind: 'imported' }
  /** The id exists and may not be replaced. */
  | { readonly kind: 'exists' }
  /** A live claim holds this id: nothing changed. */
  | { readonly kind: 'held' };

/**
 * Tells a watcher that a session changed. A hint may be lost. `ended` carries the last frames: the tail of the log, if the
 * commit asked for it, then without a gap the frames of the ending.
 */
export type Hint =
  | { readonly kind: 'moved'; readonly sessionId: string }
  | { readonly kind: 'ended'; readonly sessionId: string; readonly frames: readonly StoredFrame[] };

/** `held`: a live claim holds the session, and nothing changed. */
export type DiscardOutcome = 'discarded' | 'absent' | 'held';

export interface StoreHealth {
  /** The store takes writes; a read-only store serves no session. */
  readonly ok: boolean;
  readonly kind: 'redis' | 'sqlite';
  /** For operators: 'aof always', 'aof everysec', 'rdb', 'none', 'file' or 'memory'. */
  readonly durability: string;
  readonly detail?: string;
}

export interface Store {
  readonly kind: 'redis' | 'sqlite';
  /** Claims the session for `instance` for one lease and returns the stored session. */
  claim(sessionId: string, instance: string): Promise<ClaimOutcome>;
  commit(fence: Fence, commit: Commit): Promise<CommitOutcome>;
  append(fence: Fence, append: Append): Promise<AppendOutcome>;
  renew(fence: Fence): Promise<RenewOutcome>;
  /** Gives the session up; returns `pending` while its inbox has entries. `notify` hints watchers. */
  release(fence: Fence, notify: boolean): Promise<ReleaseOutcome>;
  read(sessionId: string): Promise<SessionRecord | null>;
  /** At most `limit` frames from offset `after + 1` on; null if the session does not exist. */
  readLog(sessionId: string, after: number, limit: number): Promise<LogPage | null>;
  readTranscript(sessionId: string): Promise<readonly TranscriptEntry[]>;
  /** Null if the session does not exist. */
  readHistory(sessionId: string): Promise<SessionHistory | null>;
  /**
   * Lists sessions in a fixed order of the store: during any commits, a session that exists throughout is on exactly one
   * page. The cost of a page does not depend on the number of sessions.
   */
  list(query: ListQuery): Promise<SessionPage>;
  /** Number of sessions by state of the index, at a cost that does not grow with them. */
  countByState(): Promise<Readonly<Record<string, number>>>;
  /** Number of the sessions of a user of the index; any number from `upTo` on means `upTo` or more. */
  countOfUser(userId: string, upTo: number): Promise<number>;
  /**
   * Adds `by` to the tally of this name, for all instances, and returns its total; 0 only reads. The tally is gone at
   * `expiresAt`, ms since the epoch. A call without an answer may have counted: a tally bounds a use and is no bill.
   */
  tally(name: string, by: number, expiresAt: number): Promise<number>;
  /** The session as stored at one moment; null if it does not exist. */
  export(sessionId: string): Promise<SessionDump | null>;
  /** Stores the dump byte for byte and atomically. The session has no owner then, and earlier claims are fenced. */
  import(dump: SessionDump, mode: ImportMode): Promise<ImportOutcome>;
  /**
   * Deletes the session without reading it: for stored state that is damaged or sealed with a lost key, so that no owner
   * can end it. Later writes return `fenced`, and watchers get the hint of an end.
   */
  discard(sessionId: string): Promise<DiscardOutcome>;
  push(sessionId: string, entry: string): Promise<PushOutcome>;
  readInbox(sessionId: string): Promise<readonly string[]>;
  /** Sessions of a bucket that are due at `now` and have no owner; one sweeper per `visibilityMs` gets each. */
  sweep(bucket: number, now: number, limit: number, visibilityMs: number): Promise<Swept>;
  /** Subscribes to a session's hints; resolves once the subscription is active. */
  watch(sessionId: string): Promise<void>;
  unwatch(sessionId: string): void;
  onHint(listener: (hint: Hint) => void): void;
  /** Sends a message to one instance; it may be lost. */
  signal(instance: string, message: string): Promise<void>;
  onSignal(instance: string, listener: (message: string) => void): Promise<void>;
  /** Registers `instance` for `ttlMs` and returns all live instances. */
  heartbeat(instance: string, ttlMs: number): Promise<readonly string[]>;
  deregister(instance: string): Promise<void>;
  /**
   * Notes, in the store itself, that its files must be rewritten. An erasure calls it before its first deletion, so that the
   * next one finds the note if its process dies.
   */
  notePurge(): Promise<void>;
  /**
   * Rewrites the store's files if a purge is noted, and removes the note. Once it resolves, no byte that was deleted before
   * the call and after a note is left in the files that the store controls. The cost grows with the stored data.
   */
  purge(): Promise<void>;
  health(): Promise<StoreHealth>;
  close(): Promise<void>;
}

export interface StoreOptions {
  readonly leaseMs: number;
  /** The log keeps more frames only if a write asks for it (`keepFrom`). */
  readonly frameLogMax: number;
  readonly inboxMax: number;
  /** Records of transitions that a session keeps, the newest ones; 0: none. Absent: HISTORY_MAX. */
  readonly historyMax?: number;
}

export const HISTORY_MAX = 500;

export const BUCKETS = 256;

/** The store forgets an uncommitted claim after this many leases. Fewer would fence a slow first commit. */
export const UNCOMMITTED_LEASES = 4;

/** The bucket of a session. It is part of every stored key, so it must never change. */
export function bucketOf(sessionId: string): number {
  return crc32(sessionId) % BUCKETS;
}
