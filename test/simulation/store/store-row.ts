/** The simulated store's row of one session. Rows never change in place, so that an older state is a reference. */

import {
  type Append,
  type Commit,
  HISTORY_MAX,
  type SessionIndex,
  type SessionRecord,
  type StoredFrame,
  type StoreOptions,
  type TranscriptRecord,
} from '../../../src/store/contract.ts';
import { logMaxAfter } from '../../../src/store/log.ts';

export interface Row {
  readonly epoch: number;
  /** The fence that may write; a dash before it where it was given up. */
  readonly token: string;
  readonly instance: string;
  /** 0 between the first claim and the first commit. */
  readonly version: number;
  readonly writeId: string | null;
  readonly head: number;
  readonly snapshot: string;
  readonly index: SessionIndex | null;
  readonly dueAt: number | null;
  /** The session's score in the deadline index. */
  readonly wakeAt: number | null;
  readonly hiddenUntil: number | null;
  readonly messageIds: ReadonlySet<string>;
  readonly log: readonly StoredFrame[];
  readonly transcript: readonly TranscriptRecord[];
  readonly inbox: readonly string[];
  readonly history: readonly string[];
  readonly expiresAt: number;
}

export type Claimed =
  | { readonly kind: 'claimed'; readonly epoch: number; readonly row: Row }
  | { readonly kind: 'held' };

export interface Lock {
  readonly token: string;
  readonly until: number;
}

/** All of the store at one moment. */
export interface StoreState {
  readonly rows: ReadonlyMap<string, Row>;
  readonly locks: ReadonlyMap<string, Lock>;
  /** Deadline index: when a sweeper looks at the session next. */
  readonly due: ReadonlyMap<string, number>;
  readonly membership: ReadonlyMap<string, number>;
  readonly tallies: ReadonlyMap<string, Tally>;
}

export interface Tally {
  readonly total: number;
  readonly expiresAt: number;
}

export const EMPTY_STATE: StoreState = {
  rows: new Map(),
  locks: new Map(),
  due: new Map(),
  membership: new Map(),
  tallies: new Map(),
};

export function talliedAt({ tallies }: StoreState, name: string, at: number): number {
  const tally = tallies.get(name);
  return tally === undefined || tally.expiresAt <= at ? 0 : tally.total;
}

export function without<T>(map: ReadonlyMap<string, T>, sessionId: string): ReadonlyMap<string, T> {
  const rest = new Map(map);
  rest.delete(sessionId);
  return rest;
}

export function emptyRow(token: string, instance: string, expiresAt: number): Row {
  return {
    epoch: 0,
    token,
    instance,
    version: 0,
    writeId: null,
    head: 0,
    snapshot: '',
    index: null,
    dueAt: null,
    wakeAt: null,
    hiddenUntil: null,
    messageIds: new Set(),
    log: [],
    transcript: [],
    inbox: [],
    history: [],
    expiresAt,
  };
}

/** The row after what a commit and an append have in common. */
export function written(row: Row, write: Append | Commit, frameLogMax: number): Row {
  const max = logMaxAfter(write, frameLogMax);
  const log = write.frames.length === 0 ? row.log : [...row.log, ...write.frames].slice(-max);
  return {
    ...row,
    writeId: write.writeId,
    head: row.head + write.frames.length,
    log,
    inbox: row.inbox.slice(write.inboxTaken),
    expiresAt: Number.POSITIVE_INFINITY,
  };
}

export function recordOf(row: Row): SessionRecord {
  const { version, epoch, head, snapshot, instance, dueAt, inbox } = row;
  return { version, epoch, head, snapshot, instance, dueAt, inboxLength: inbox.length };
}

export function historyAfter(row: Row, { history }: Commit, { historyMax = HISTORY_MAX }: StoreOptions) {
  if (history === undefined || historyMax === 0) return row.history;
  return [...row.history, history].slice(-historyMax);
}
