/**
 * Everything that changes a session, as plain functions to be run inside a transaction.
 *
 *  W1  A fence is its token and its epoch, compared with the row in the transaction that writes. The lease's end is
 *      only asked when somebody else claims: a lease that ran out but was taken by nobody still writes.
 *  W2  Order of refusal: fence, repeated write id, version, head, message ids. Nothing is written before the last.
 *  W3  `end` leaves no row, so a repeated one finds nothing and is answered `committed`: what it asked for is so.
 *  W4  Epochs grow with the clock as well as with claims: a file brought back from a copy gives out none again.
 *  W5  `wake_at` is never later than `due_at`, and where an inbox waits never later than the end of the lease.
 */
import { randomUUID } from 'node:crypto';
import {
  type Append,
  type AppendOutcome,
  bucketOf,
  type ClaimOutcome,
  type Commit,
  type CommitOutcome,
  type DiscardOutcome,
  type Fence,
  type PushOutcome,
  type ReleaseOutcome,
  type RenewOutcome,
  type StoreOptions,
  UNCOMMITTED_LEASES,
} from '../contract.ts';
import { logMaxAfter, TAIL_FRAMES, tailOf } from '../log.ts';
import type { AfterCommit } from './group.ts';
import type { Hints } from './hints.ts';
import { frameOf, recordOf } from './reads.ts';
import type { SessionRow, Sql } from './sql.ts';

export interface Context {
  readonly sql: Sql;
  readonly hints: Hints;
  readonly options: StoreOptions;
  readonly now: () => number;
}

/** The session's row, unless it is an abandoned claim. */
export function find(desk: Context, sessionId: string): SessionRow | undefined {
  const row = desk.sql.session(sessionId);
  return row === undefined || isAbandoned(row, desk.now()) ? undefined : row;
}

/** A claim that never committed, and whose time is up. A committed session has no time limit. */
function isAbandoned({ version, expiresAt }: SessionRow, now: number): boolean {
  return version === 0 && expiresAt <= now;
}

export function claim(desk: Context, sessionId: string, instance: string): ClaimOutcome {
  const { sql, options } = desk;
  const now = desk.now();
  const token = randomUUID();
  const leaseUntil = now + options.leaseMs;
  const found = sql.session(sessionId);
  if (found !== undefined && isAbandoned(found, now)) sql.forget(found.n);
  if (found === undefined || isAbandoned(found, now)) {
    const expiresAt = now + UNCOMMITTED_LEASES * options.leaseMs;
    sql.create(sessionId, bucketOf(sessionId), now, token, instance, leaseUntil, expiresAt);
    return { kind: 'claimed', fence: { sessionId, instance, token, epoch: now }, record: null };
  }
  if (isHeld(found, now, options)) {
    return { kind: 'held', instance: found.instance, leaseLeftMs: found.leaseUntil - now };
  }
  const epoch = Math.max(found.epoch + 1, now);
  sql.take(epoch, token, instance, leaseUntil, found.n);
  const fence: Fence = { sessionId, instance, token, epoch };
  if (found.version > 0)
    return { kind: 'claimed', fence, record: recordOf(sql, { ...found, epoch, instance }) };
  sql.renewUncommitted(leaseUntil, now + UNCOMMITTED_LEASES * options.leaseMs, found.n);
  return { kind: 'claimed', fence, record: null };
}

export function commit(desk: Context, fence: Fence, write: Commit, afterCommit: AfterCommit): CommitOutcome {
  const { sql, hints, options } = desk;
  const { sessionId } = fence;
  const row = find(desk, sessionId);
  if (row === undefined) return write.end ? { kind: 'committed', inboxLength: 0 } : { kind: 'fenced' };
  if (!owns(row, fence)) return { kind: 'fenced' };
  if (row.writeId === write.writeId) return { kind: 'committed', inboxLength: row.inboxLength };
  if (row.version !== write.expectedVersion || row.head !== write.expectedHead) return { kind: 'conflict' };
  const messageId = write.messageIds.find((id) => sql.hasMessage(row.n, id) !== undefined);
  if (messageId !== undefined) return { kind: 'duplicate', messageId };

  if (write.end) {
    const before = write.tail === true ? sql.framesAfter(row.n, row.head - TAIL_FRAMES, TAIL_FRAMES) : [];
    const frames = [...tailOf(before.map(frameOf)), ...write.frames];
    sql.forget(row.n);
    if (write.notify) afterCommit(() => hints.emit({ kind: 'ended', sessionId, frames }));
    return { kind: 'committed', inboxLength: 0 };
  }
  const now = desk.now();
  const leaseUntil = now + options.leaseMs;
  const head = addFrames(desk, row, write);
  for (const id of write.messageIds) sql.addMessage(row.n, id);
  for (const entry of write.transcript) sql.addTranscript(row.n, JSON.stringify(entry));
  const inboxLength = takeInbox(sql, row, write.inboxTaken);
  const wakeAt = inboxLength > 0 ? Math.min(write.dueAt ?? leaseUntil, leaseUntil) : write.dueAt;
  sql.commit(
    row.version + 1,
    write.writeId,
    head,
    write.snapshot,
    write.dueAt,
    wakeAt,
    inboxLength,
    leaseUntil,
    row.n,
  );
  const { state, userId, createdAt } = write.index;
  // Writing the same again would rewrite three indexes with every commit.
  if (row.state !== state || row.userId !== userId || row.createdAt !== createdAt) {
    sql.relist(state, userId, createdAt, row.n);
  }
  if (write.notify) afterCommit(() => hints.emit({ kind: 'moved', sessionId }));
  return { kind: 'committed', inboxLength };
}

export function append(desk: Context, fence: Fence, write: Append, afterCommit: AfterCommit): AppendOutcome {
  const { sql, hints, options } = desk;
  const { sessionId } = fence;
  const row = find(desk, sessionId);
  if (row === undefined || !owns(row, fence)) return { kind: 'fenced' };
  if (row.writeId === write.writeId) return { kind: 'committed', inboxLength: row.inboxLength };
  if (row.version === 0 || row.head !== write.expectedHead) return { kind: 'conflict' };

  const now = desk.now();
  const head = addFrames(desk, row, write);
  const inboxLength = takeInbox(sql, row, write.inboxTaken);
  sql.append(write.writeId, head, inboxLength, now + options.leaseMs, row.n);
  if (write.notify) afterCommit(() => hints.emit({ kind: 'moved', sessionId }));
  return { kind: 'committed', inboxLength };
}

export function renew(desk: Context, fence: Fence): RenewOutcome {
  const row = find(desk, fence.sessionId);
  if (row === undefined || !owns(row, fence)) return { kind: 'fenced' };
  const { leaseMs } = desk.options;
  const now = desk.now();
  if (row.version > 0) desk.sql.renew(now + leaseMs, row.n);
  else desk.sql.renewUncommitted(now + leaseMs, now + UNCOMMITTED_LEASES * leaseMs, row.n);
  return { kind: 'renewed', inboxLength: row.inboxLength };
}

export function release(
  desk: Context,
  fence: Fence,
  notify: boolean,
  afterCommit: AfterCommit,
): ReleaseOutcome {
  const { sql, hints } = desk;
  const { sessionId } = fence;
  const row = find(desk, sessionId);
  // Nothing is left to give up: it ended, or this very release was answered before and the answer was lost.
  if (row === undefined || row.token === releasedToken(fence)) return { kind: 'released' };
  if (!owns(row, fence)) return { kind: 'fenced' };
  if (row.inboxLength > 0) return { kind: 'pending' };
  if (row.version > 0) sql.release(releasedToken(fence), row.n);
  else sql.forget(row.n);
  if (notify) afterCommit(() => hints.emit({ kind: 'moved', sessionId }));
  return { kind: 'released' };
}

export function discard(desk: Context, sessionId: string, afterCommit: AfterCommit): DiscardOutcome {
  const { sql, hints, options } = desk;
  const row = find(desk, sessionId);
  if (row === undefined) return 'absent';
  if (isHeld(row, desk.now(), options)) return 'held';
  sql.forget(row.n);
  afterCommit(() => hints.emit({ kind: 'ended', sessionId, frames: [] }));
  return 'discarded';
}

export function push(desk: Context, sessionId: string, entry: string): PushOutcome {
  const { sql, options } = desk;
  const row = find(desk, sessionId);
  if (row === undefined || row.version === 0) return { kind: 'absent' };
  if (row.inboxLength >= options.inboxMax) return { kind: 'full' };
  const now = desk.now();
  const held = isHeld(row, now, options);
  const wanted = Math.max(held ? row.leaseUntil : now, row.hiddenUntil);
  sql.addInbox(row.n, entry);
  sql.countPushed(row.inboxLength + 1, Math.min(row.wakeAt ?? wanted, wanted), row.n);
  return { kind: 'pushed', owner: held ? row.instance : null };
}

/** A lease that would last longer than any does was given before the clock was set back: nobody may wait that long. */
export function isHeld({ leaseUntil }: SessionRow, now: number, { leaseMs }: StoreOptions): boolean {
  return leaseUntil > now && leaseUntil <= now + leaseMs;
}

function owns(row: SessionRow, fence: Fence): boolean {
  return row.token === fence.token && row.epoch === fence.epoch;
}

/** A given-up claim must not write again, yet its holder may ask twice whether it was given up. */
function releasedToken(fence: Fence): string {
  return `-${fence.token}`;
}

function addFrames(desk: Context, row: SessionRow, write: Append | Commit): number {
  const { frames } = write;
  for (const frame of frames) desk.sql.addFrame(row.n, frame.offset, frame.data, frame.aux ?? null);
  const head = row.head + frames.length;
  if (frames.length > 0) desk.sql.trimFrames(row.n, head - logMaxAfter(write, desk.options.frameLogMax));
  return head;
}

function takeInbox(sql: Sql, row: SessionRow, taken: number): number {
  if (taken === 0) return row.inboxLength;
  return row.inboxLength - sql.takeInbox(row.n, taken);
}
