/**
 * What a store promises, in the words of sessions. No driver's type crosses this line.
 *
 *  P1  One writer. `claim` gives at most one live fence per session; every write names its fence, and a write whose
 *      fence was overtaken is answered `fenced` and changes nothing. A lease that ran out but was taken by nobody
 *      still writes.
 *  P2  `commit` and `append` are all or nothing, and idempotent by their `writeId`: sending the same one again
 *      after a lost reply answers like the first time. At most one write of a session is in flight.
 *  P3  Versions of a session are 1, 2, 3 … without gap; offsets of its frames likewise.
 *  P4  A message id is taken at most once in the life of a session.
 *  P5  An inbox entry leaves the inbox in the same write that applies it.
 *  P6  A write that ends the session removes every trace of it.
 *  P7  An outcome is a value. A rejected promise means that nothing is known: ask again with the same `writeId`.
 *  P8  Epochs of a session only grow: a claim gives the larger of the stored one plus one and the store's clock in ms,
 *      so that a store which lost acknowledged writes never gives out an epoch of the lost timeline again.
 *  P9  A committed session stays until a write ends it, however long no instance runs. Time removes only a claim that
 *      never committed.
 */

/** One durable frame as it is sent, byte for byte. `data` is JSON and carries its own `offset`. */
export interface StoredFrame {
  readonly offset: number;
  readonly data: string;
  /** What only a continuation needs and no client sees: JSON, or absent. */
  readonly aux?: string;
}

/** The right to write: one claim of one session. */
export interface Fence {
  readonly sessionId: string;
  readonly instance: string;
  readonly token: string;
  readonly epoch: number;
}

/** What a claim or a read finds of a session. */
export interface SessionRecord {
  readonly version: number;
  readonly epoch: number;
  /** The log's head: the offset of the newest frame, 0 before the first. */
  readonly head: number;
  /** The stored envelope as JSON. */
  readonly snapshot: string;
  /** Instance of the last claim. */
  readonly instance: string;
  /** Absolute ms since the epoch at which the session next needs somebody, or null. */
  readonly dueAt: number | null;
  readonly inboxLength: number;
}

export type ClaimOutcome =
  | { readonly kind: 'claimed'; readonly fence: Fence; readonly record: SessionRecord | null }
  /** Another live claim holds it; `instance` is null where the holder has not said its name yet. */
  | { readonly kind: 'held'; readonly instance: string | null; readonly leaseLeftMs: number };

export interface TranscriptEntry {
  /** A summary stands for the turns up to and with its `turnId`; nobody said it. */
  readonly role: 'user' | 'assistant' | 'summary';
  readonly content: string;
  readonly turnId: string;
  readonly at: number;
  /** Who wrote it, where that is known. */
  readonly author?: string;
  /** A simulator answered. */
  readonly simulated?: boolean;
}

/** The transcript is an append-only list; forgetting a turn is an entry too. */
export type TranscriptRecord = TranscriptEntry | { readonly forget: string };

/** What sessions can be listed and counted by. It is stored with the commit that says it. */
export interface SessionIndex {
  /** One word, without a space. */
  readonly state: string;
  readonly userId: string | null;
  readonly createdAt: number;
}

export interface Commit {
  readonly writeId: string;
  /** The version this commit builds on; 0 creates the session. The new version is one more. */
  readonly expectedVersion: number;
  /** Head of the log that the frames continue. */
  readonly expectedHead: number;
  readonly snapshot: string;
  readonly frames: readonly StoredFrame[];
  readonly transcript: readonly TranscriptRecord[];
  /** Message ids that this commit takes; if one is taken already, nothing is written. */
  readonly messageIds: readonly string[];
  /** How many entries of the inbox this write consumes, from its front. */
  readonly inboxTaken: number;
  readonly dueAt: number | null;
  readonly index: SessionIndex;
  /** Wake instances that watch this session (some have sockets of it and are not its owner). */
  readonly notify: boolean;
  /** As of `Append`. */
  readonly keepFrom?: number;
  /** The session is over: all its keys go; watchers are given `frames`. */
  readonly end: boolean;
  /** Where it ends: watchers are also given what the log had last (`recap.ts`). They may not have read it, and cannot. */
  readonly tail?: boolean;
}

export interface Append {
  readonly writeId: string;
  readonly expectedHead: number;
  readonly frames: readonly StoredFrame[];
  readonly inboxTaken: number;
  readonly notify: boolean;
  /** The frame of this offset and all after it stay, however long the log has become. */
  readonly keepFrom?: number;
}

export type CommitOutcome =
  | { readonly kind: 'committed'; readonly inboxLength: number }
  | { readonly kind: 'fenced' }
  /** Version or head is not what the caller believes: its memory is stale. */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'duplicate'; readonly messageId: string };

export type AppendOutcome = Exclude<CommitOutcome, { readonly kind: 'duplicate' }>;

export type ReleaseOutcome =
  | { readonly kind: 'released' }
  /** Somebody put input into the inbox meanwhile: take it first. */
  | { readonly kind: 'pending' }
  | { readonly kind: 'fenced' };

export type RenewOutcome =
  | { readonly kind: 'renewed'; readonly inboxLength: number }
  | { readonly kind: 'fenced' };

export type PushOutcome =
  /** `owner` holds the session now, or null: nobody does, so claim it. */
  | { readonly kind: 'pushed'; readonly owner: string | null }
  | { readonly kind: 'absent' }
  | { readonly kind: 'full' };

export interface LogPage {
  readonly frames: readonly StoredFrame[];
  /** Offset of the oldest frame kept; head + 1 where none is. */
  readonly first: number;
  readonly head: number;
}

export interface Swept {
  readonly due: readonly string[];
  /** When this bucket next needs a look, by what is known now: not after `now` where more is due already; null: never. */
  readonly nextAt: number | null;
  /** Sessions that the deadline index knows and the store has lost. The sweep removed what was left of them. */
  readonly lost: readonly string[];
}

export interface ListQuery {
  readonly state?: string;
  readonly userId?: string;
  /** As the page before gave it. One that no store wrote is refused with the code STORE_CURSOR. */
  readonly cursor?: string;
  readonly limit: number;
}

export interface SessionPage {
  readonly sessionIds: readonly string[];
  /** Where the next page begins; null where none follows. */
  readonly cursor: string | null;
}

/** All that a store knows of one session, for another store. */
export interface SessionDump {
  readonly sessionId: string;
  readonly record: SessionRecord;
  readonly index: SessionIndex;
  /** Every frame that is kept: the last of them is at the head. */
  readonly frames: readonly StoredFrame[];
  /** As it was written, with what was forgotten and that it was. */
  readonly transcript: readonly TranscriptRecord[];
  readonly inbox: readonly string[];
  /** Sorted, so that equal sessions have equal dumps. */
  readonly messageIds: readonly string[];
  /** A live claim stands on it: what was read may be old already. */
  readonly held: boolean;
}

export type ImportMode = 'absent-only' | 'replace';

export type ImportOutcome =
  | { readonly kind: 'imported' }
  /** There is one of this id, and it may not be replaced. */
  | { readonly kind: 'exists' }
  /** A live claim stands on this id: nothing was changed. */
  | { readonly kind: 'held' };

/**
 * A hint that a session moved on; only a hint, it may be lost. `ended` carries the last frames of a session that is gone:
 * those of its ending, and before them, without a gap, as many as its commit asked for.
 */
export type Hint =
  | { readonly kind: 'moved'; readonly sessionId: string }
  | { readonly kind: 'ended'; readonly sessionId: string; readonly frames: readonly StoredFrame[] };

/** `held`: a live claim stands on the session, and nothing was changed. */
export type DiscardOutcome = 'discarded' | 'absent' | 'held';

export interface StoreHealth {
  /** It can be written to; a store that can only be read serves no session. */
  readonly ok: boolean;
  readonly kind: 'redis' | 'sqlite';
  /** Words for operators: 'aof always', 'aof everysec', 'rdb', 'none', 'file', 'memory'. */
  readonly durability: string;
  readonly detail?: string;
}

export interface Store {
  readonly kind: 'redis' | 'sqlite';
  /** Take the session for `instance` for a lease; the stored session comes back in the same answer. */
  claim(sessionId: string, instance: string): Promise<ClaimOutcome>;
  commit(fence: Fence, commit: Commit): Promise<CommitOutcome>;
  append(fence: Fence, append: Append): Promise<AppendOutcome>;
  renew(fence: Fence): Promise<RenewOutcome>;
  /** Give the session up; refused as `pending` while its inbox holds something. `notify` wakes watchers. */
  release(fence: Fence, notify: boolean): Promise<ReleaseOutcome>;
  read(sessionId: string): Promise<SessionRecord | null>;
  /** Frames with offsets `after + 1` … in order, at most `limit`; null where there is no such session. */
  readLog(sessionId: string, after: number, limit: number): Promise<LogPage | null>;
  readTranscript(sessionId: string): Promise<readonly TranscriptEntry[]>;
  /**
   * Sessions in an order of the store's own that never changes, so that whatever is committed meanwhile, one that was
   * there all the time is on exactly one page. The cost of a page does not depend on how many sessions there are.
   */
  list(query: ListQuery): Promise<SessionPage>;
  /** How many sessions there are, by their state; as cheap with a million as with one. */
  countByState(): Promise<Readonly<Record<string, number>>>;
  /** How many sessions there are of a user; where there are `upTo` or more it may say any number from that on. */
  countOfUser(userId: string, upTo: number): Promise<number>;
  /** The session as it is stored at one moment; null where there is none. */
  export(sessionId: string): Promise<SessionDump | null>;
  /** Makes the session what the dump says, all or nothing: byte for byte, held by nobody, its claims all fenced. */
  import(dump: SessionDump, mode: ImportMode): Promise<ImportOutcome>;
  /**
   * Deletes the session without reading a word of it: for one whose stored state is damaged or sealed with a lost key, so
   * that no owner can end it. Fences and watchers learn of it as of any end.
   */
  discard(sessionId: string): Promise<DiscardOutcome>;
  push(sessionId: string, entry: string): Promise<PushOutcome>;
  readInbox(sessionId: string): Promise<readonly string[]>;
  /** Homeless sessions of a bucket that are due at `now`; each is shown to one sweeper per `visibilityMs`. */
  sweep(bucket: number, now: number, limit: number, visibilityMs: number): Promise<Swept>;
  /** Watch a session's hints on this connection; resolves once the subscription stands. */
  watch(sessionId: string): Promise<void>;
  unwatch(sessionId: string): void;
  onHint(listener: (hint: Hint) => void): void;
  /** Best-effort word to one instance. */
  signal(instance: string, message: string): Promise<void>;
  onSignal(instance: string, listener: (message: string) => void): Promise<void>;
  /** Say that `instance` lives, and learn who else does. */
  heartbeat(instance: string, ttlMs: number): Promise<readonly string[]>;
  deregister(instance: string): Promise<void>;
  /**
   * Once resolved, no byte of what was deleted before the call is left in the store's files, as far as it has a hand
   * in them. It writes them anew, so it costs as much as there is stored.
   */
  purge(): Promise<void>;
  health(): Promise<StoreHealth>;
  close(): Promise<void>;
}

export interface StoreOptions {
  readonly leaseMs: number;
  /** More frames are kept only where a write says so (`keepFrom`). */
  readonly frameLogMax: number;
  readonly inboxMax: number;
}

export const BUCKETS = 256;

/** A claim that never commits is forgotten after this many leases; sooner, and a slow first commit is fenced. */
export const UNCOMMITTED_LEASES = 4;
