/**
 * SimStore is the store of the simulation: the scripts of `src/store/redis` on a map. Each method is one script, which
 * runs atomically at one moment of virtual time.
 *
 *  SIMSTORE-1  Rows are replaced, never changed, so that a failover that loses the last writes can go back to the state
 *              before them.
 *  SIMSTORE-2  Its `StoreWitness` learns of every accepted change, and of nothing else.
 *
 * Read next: store-handle.ts (the contract on top), sim-network.ts (what may happen to a call on its way here).
 */
import {
  type Append,
  type AppendOutcome,
  bucketOf,
  type Commit,
  type CommitOutcome,
  type DiscardOutcome,
  type Fence,
  type Hint,
  type ImportMode,
  type ImportOutcome,
  type ListQuery,
  type LogPage,
  type PushOutcome,
  type ReleaseOutcome,
  type RenewOutcome,
  type SessionDump,
  type SessionPage,
  type StoreOptions,
  type Swept,
  UNCOMMITTED_LEASES,
} from '../../../src/store/contract.ts';
import { tailOf } from '../../../src/store/log.ts';
import type { StoreWitness } from './store-options.ts';
import { SOUND, type StoreRules } from './store-options.ts';
import { countByState, dumpOf, listPage, logPage } from './store-reads.ts';
import {
  type Claimed,
  EMPTY_STATE,
  emptyRow,
  historyAfter,
  type Lock,
  type Row,
  type StoreState,
  talliedAt,
  without,
  written,
} from './store-row.ts';

/** How many changes back a failover may go. */
const PAST_MAX = 64;

export class SimStore {
  readonly #options: StoreOptions;
  readonly #now: () => number;
  readonly #witness: StoreWitness;
  readonly #publish: (hint: Hint) => void;
  readonly #rules: StoreRules;
  readonly #buckets = new Set<number>();
  readonly #past: { readonly state: StoreState; readonly restore: () => void }[] = [];
  #state: StoreState = EMPTY_STATE;

  constructor(
    options: StoreOptions,
    now: () => number,
    witness: StoreWitness,
    publish: (hint: Hint) => void,
    rules: StoreRules = SOUND,
  ) {
    this.#options = options;
    this.#now = now;
    this.#witness = witness;
    this.#publish = publish;
    this.#rules = rules;
  }

  get state(): StoreState {
    return this.#state;
  }

  /** No session of this bucket was ever claimed. */
  isUnused(bucket: number): boolean {
    return !this.#buckets.has(bucket);
  }

  // claim, in two round trips: harsher than claim.lua, which takes lock and session in one

  acquire(sessionId: string, token: string): boolean {
    if (this.#lockOf(sessionId) !== undefined) return false;
    this.#buckets.add(bucketOf(sessionId));
    this.#change({ locks: this.#locked(sessionId, token) });
    return true;
  }

  claim(sessionId: string, token: string, instance: string): Claimed {
    const lock = this.#lockOf(sessionId);
    if (lock !== undefined && lock.token !== token) return { kind: 'held' };
    const stands = this.#rowOf(sessionId);
    const row = stands ?? emptyRow(token, instance, 0);
    const epoch = Math.max(row.epoch + 1, this.#rules.datesEpochs ? Math.floor(this.#now()) : 1);
    const uncommitted = this.#now() + UNCOMMITTED_LEASES * this.#options.leaseMs;
    const expiresAt = row.version > 0 ? row.expiresAt : uncommitted;
    const claimed: Row = { ...row, epoch, token, instance, expiresAt };
    this.#change({
      locks: this.#locked(sessionId, token),
      rows: new Map(this.#state.rows).set(sessionId, claimed),
    });
    this.#witness.claimed({ sessionId, instance, token, epoch }, row.inbox);
    return { kind: 'claimed', epoch, row: claimed };
  }

  holder(sessionId: string): { readonly instance: string | null; readonly leaseLeftMs: number } {
    const lock = this.#lockOf(sessionId);
    const row = this.#rowOf(sessionId);
    const named = lock !== undefined && row?.token === lock.token;
    return {
      instance: named ? row.instance : null,
      leaseLeftMs: lock === undefined ? 0 : lock.until - this.#now(),
    };
  }

  // the owner's writes

  commit(fence: Fence, write: Commit): CommitOutcome {
    const { sessionId } = fence;
    const row = this.#rowOf(sessionId);
    const lock = this.#lockOf(sessionId);
    if (row === undefined && write.end && (lock === undefined || lock.token === fence.token)) {
      this.#change({ locks: without(this.#state.locks, sessionId) });
      this.#witness.endedAlready(fence, write);
      return { kind: 'committed', inboxLength: 0 };
    }
    if (row === undefined || !this.#stands(row, fence)) return { kind: 'fenced' };
    if (row.writeId === write.writeId) return { kind: 'committed', inboxLength: row.inbox.length };
    if (row.version !== write.expectedVersion || row.head !== write.expectedHead) return { kind: 'conflict' };
    const messageId = write.messageIds.find((id) => row.messageIds.has(id));
    if (messageId !== undefined) return { kind: 'duplicate', messageId };

    if (write.end) {
      this.#change({
        rows: without(this.#state.rows, sessionId),
        locks: without(this.#state.locks, sessionId),
        due: without(this.#state.due, sessionId),
      });
      this.#witness.committed(fence, write);
      const before = write.tail === true ? tailOf(row.log) : [];
      if (write.notify) this.#publish({ kind: 'ended', sessionId, frames: [...before, ...write.frames] });
      return { kind: 'committed', inboxLength: 0 };
    }
    const movesEarlier = write.dueAt !== null && (row.wakeAt === null || write.dueAt < row.wakeAt);
    const wakeAt = movesEarlier ? write.dueAt : row.wakeAt;
    const next: Row = {
      ...this.#written(row, write),
      version: row.version + 1,
      snapshot: write.snapshot,
      index: write.index,
      dueAt: write.dueAt,
      wakeAt,
      messageIds:
        write.messageIds.length === 0 ? row.messageIds : new Set([...row.messageIds, ...write.messageIds]),
      transcript: [...row.transcript, ...write.transcript],
      history: historyAfter(row, write, this.#options),
    };
    this.#change({
      rows: new Map(this.#state.rows).set(sessionId, next),
      locks: this.#locked(sessionId, fence.token),
      ...(movesEarlier && wakeAt !== null ? { due: new Map(this.#state.due).set(sessionId, wakeAt) } : {}),
    });
    this.#witness.committed(fence, write);
    this.#took(row, next, sessionId);
    if (write.notify) this.#publish({ kind: 'moved', sessionId });
    return { kind: 'committed', inboxLength: next.inbox.length };
  }

  append(fence: Fence, write: Append): AppendOutcome {
    const { sessionId } = fence;
    const row = this.#rowOf(sessionId);
    if (row === undefined || !this.#stands(row, fence)) return { kind: 'fenced' };
    if (row.writeId === write.writeId) return { kind: 'committed', inboxLength: row.inbox.length };
    if (row.version === 0 || row.head !== write.expectedHead) return { kind: 'conflict' };
    const next = this.#written(row, write);
    this.#change({
      rows: new Map(this.#state.rows).set(sessionId, next),
      locks: this.#locked(sessionId, fence.token),
    });
    this.#witness.appended(fence, write);
    this.#took(row, next, sessionId);
    if (write.notify) this.#publish({ kind: 'moved', sessionId });
    return { kind: 'committed', inboxLength: next.inbox.length };
  }

  renew(fence: Fence): RenewOutcome {
    const { sessionId } = fence;
    const row = this.#rowOf(sessionId);
    if (row === undefined || !this.#stands(row, fence)) return { kind: 'fenced' };
    const staysMs = row.version > 0 ? Number.POSITIVE_INFINITY : UNCOMMITTED_LEASES * this.#options.leaseMs;
    this.#change({
      rows: new Map(this.#state.rows).set(sessionId, { ...row, expiresAt: this.#now() + staysMs }),
      locks: this.#locked(sessionId, fence.token),
    });
    this.#witness.renewed(fence);
    return { kind: 'renewed', inboxLength: row.inbox.length };
  }

  release(fence: Fence, notify: boolean): ReleaseOutcome {
    const { sessionId } = fence;
    const row = this.#rowOf(sessionId);
    const lock = this.#lockOf(sessionId);
    const given = `-${fence.token}`;
    if (row?.token === given) return { kind: 'released' };
    const locks = without(this.#state.locks, sessionId);
    if (row === undefined && (lock === undefined || lock.token === fence.token)) {
      this.#change({ locks });
      return { kind: 'released' };
    }
    if (row === undefined || !this.#stands(row, fence)) return { kind: 'fenced' };
    if (row.inbox.length > 0) return { kind: 'pending' };
    const rows =
      row.version > 0
        ? new Map(this.#state.rows).set(sessionId, { ...row, token: given })
        : without(this.#state.rows, sessionId);
    this.#change({ rows, locks });
    this.#witness.released(fence);
    if (notify) this.#publish({ kind: 'moved', sessionId });
    return { kind: 'released' };
  }

  // calls without a fence

  discard(sessionId: string): DiscardOutcome {
    if (this.#lockOf(sessionId) !== undefined) return 'held';
    if (this.#rowOf(sessionId) === undefined) return 'absent';
    this.#change({
      rows: without(this.#state.rows, sessionId),
      due: without(this.#state.due, sessionId),
    });
    this.#publish({ kind: 'ended', sessionId, frames: [] });
    return 'discarded';
  }

  /** `at` is the caller's clock, as in push.lua. */
  push(sessionId: string, entry: string, at: number): PushOutcome {
    const row = this.#rowOf(sessionId);
    if (row === undefined || row.version === 0) return { kind: 'absent' };
    if (row.inbox.length >= this.#options.inboxMax) return { kind: 'full' };
    const lock = this.#lockOf(sessionId);
    let wake = at;
    if (lock !== undefined) wake += Math.max(lock.until - this.#now(), 1);
    if (row.hiddenUntil !== null) wake = Math.max(wake, row.hiddenUntil);
    const earlier = row.wakeAt === null || wake < row.wakeAt;
    const next: Row = { ...row, inbox: [...row.inbox, entry], ...(earlier ? { wakeAt: wake } : {}) };
    this.#change({
      rows: new Map(this.#state.rows).set(sessionId, next),
      ...(earlier ? { due: new Map(this.#state.due).set(sessionId, wake) } : {}),
    });
    this.#witness.pushed(sessionId, entry);
    return { kind: 'pushed', owner: lock !== undefined && lock.token === row.token ? row.instance : null };
  }

  /** `at` is the caller's clock, as in sweep.lua. */
  sweep(bucket: number, at: number, limit: number, visibilityMs: number): Swept {
    const due = [...this.#state.due]
      .filter(([sessionId, wakeAt]) => wakeAt <= at && bucketOf(sessionId) === bucket)
      .sort((left, right) => left[1] - right[1]);
    const shown: string[] = [];
    const lost: string[] = [];
    for (const [sessionId] of due) {
      if (shown.length === limit) break;
      const row = this.#rowOf(sessionId);
      const waits = row !== undefined && row.inbox.length > 0;
      const lock = this.#lockOf(sessionId);
      if (row === undefined || row.version === 0) {
        lost.push(sessionId);
        this.#change({ due: without(this.#state.due, sessionId) });
      } else if (!waits && row.dueAt === null) {
        this.#change({
          due: without(this.#state.due, sessionId),
          rows: new Map(this.#state.rows).set(sessionId, { ...row, wakeAt: null, hiddenUntil: null }),
        });
      } else if (!waits && row.dueAt !== null && row.dueAt > at) {
        this.#wake(sessionId, row, row.dueAt);
      } else if (lock !== undefined) {
        this.#wake(sessionId, row, at + Math.max(lock.until - this.#now(), 1));
      } else {
        const again = at + Math.max(visibilityMs, 1);
        this.#wake(sessionId, { ...row, hiddenUntil: again }, again);
        shown.push(sessionId);
      }
    }
    const scores = [...this.#state.due].filter(([sessionId]) => bucketOf(sessionId) === bucket);
    const nextAt = scores.length === 0 ? null : Math.min(...scores.map(([, wakeAt]) => wakeAt));
    return { due: shown, nextAt, lost };
  }

  heartbeat(instance: string, ttlMs: number): readonly string[] {
    const now = this.#now();
    const living = [...this.#state.membership].filter(([, until]) => until > now);
    const membership = new Map(living).set(instance, now + ttlMs);
    this.#state = { ...this.#state, membership };
    return [...membership.keys()].sort();
  }

  farewell(instance: string): void {
    this.#state = { ...this.#state, membership: without(this.#state.membership, instance) };
  }

  tally(name: string, by: number, expiresAt: number): number {
    const total = talliedAt(this.#state, name, this.#now()) + by;
    const tallies = new Map(this.#state.tallies).set(name, { total, expiresAt });
    if (by !== 0) this.#state = { ...this.#state, tallies };
    return total;
  }

  readInbox(sessionId: string): readonly string[] {
    const row = this.row(sessionId);
    if (row === null) return [];
    if (!this.#rules.keepsInbox && row.inbox.length > 0)
      this.#change({ rows: new Map(this.#state.rows).set(sessionId, { ...row, inbox: [] }) });
    return row.inbox;
  }

  row(sessionId: string): Row | null {
    const row = this.#rowOf(sessionId);
    return row === undefined || row.version === 0 ? null : row;
  }

  list(query: ListQuery): SessionPage {
    return listPage(this.#state, this.#now(), query);
  }

  countByState(): Readonly<Record<string, number>> {
    return countByState(this.#state, this.#now());
  }

  export(sessionId: string): SessionDump | null {
    const row = this.row(sessionId);
    return row === null ? null : dumpOf(sessionId, row, this.#lockOf(sessionId) !== undefined);
  }

  import(dump: SessionDump, mode: ImportMode): ImportOutcome {
    const { sessionId, record, index, frames, transcript, inbox, history } = dump;
    if (mode === 'absent-only' && this.row(sessionId) !== null) return { kind: 'exists' };
    if (this.#lockOf(sessionId) !== undefined) return { kind: 'held' };
    const { version, epoch, head, snapshot, instance, dueAt } = record;
    const now = this.#now();
    const wakeAt = inbox.length > 0 ? Math.min(dueAt ?? now, now) : dueAt;
    const row: Row = {
      ...emptyRow('', instance, Number.POSITIVE_INFINITY),
      ...{ version, epoch, head, snapshot, dueAt, wakeAt, index, transcript, inbox, history, log: frames },
      messageIds: new Set(dump.messageIds),
    };
    this.#buckets.add(bucketOf(sessionId));
    this.#change({
      rows: new Map(this.#state.rows).set(sessionId, row),
      due:
        wakeAt === null
          ? without(this.#state.due, sessionId)
          : new Map(this.#state.due).set(sessionId, wakeAt),
    });
    return { kind: 'imported' };
  }

  logPage(sessionId: string, after: number, limit: number): LogPage | null {
    const row = this.row(sessionId);
    return row === null ? null : logPage(row, after, limit);
  }

  /** Another process answers from now on, and the last changes never reached it. */
  failOver(changes: number): number {
    const lost = Math.min(changes, this.#past.length);
    const then = this.#past[this.#past.length - lost];
    if (lost === 0 || then === undefined) return 0;
    this.#past.length -= lost;
    this.#state = { ...then.state, membership: this.#state.membership };
    then.restore();
    return lost;
  }

  #stands(row: Row, fence: Fence): boolean {
    if (!this.#rules.checksFence) return true;
    const lock = this.#lockOf(fence.sessionId);
    if (lock !== undefined && lock.token !== fence.token) return false;
    return row.token === fence.token && row.epoch === fence.epoch;
  }

  #written(row: Row, write: Append | Commit): Row {
    return written(row, write, this.#options.frameLogMax);
  }

  #took(before: Row, after: Row, sessionId: string): void {
    const taken = before.inbox.slice(0, before.inbox.length - after.inbox.length);
    if (taken.length > 0) this.#witness.consumed(sessionId, taken);
  }

  #wake(sessionId: string, row: Row, at: number): void {
    this.#change({
      rows: new Map(this.#state.rows).set(sessionId, { ...row, wakeAt: at }),
      due: new Map(this.#state.due).set(sessionId, at),
    });
  }

  #rowOf(sessionId: string): Row | undefined {
    const row = this.#state.rows.get(sessionId);
    return row === undefined || row.expiresAt <= this.#now() ? undefined : row;
  }

  #lockOf(sessionId: string): Lock | undefined {
    const lock = this.#state.locks.get(sessionId);
    return lock === undefined || lock.until <= this.#now() ? undefined : lock;
  }

  #locked(sessionId: string, token: string): ReadonlyMap<string, Lock> {
    const until = this.#now() + this.#options.leaseMs;
    return new Map(this.#state.locks).set(sessionId, { token, until });
  }

  #change(changes: Partial<StoreState>): void {
    this.#past.push({ state: this.#state, restore: this.#witness.remember() });
    if (this.#past.length > PAST_MAX) this.#past.shift();
    this.#state = { ...this.#state, ...changes };
  }
}
