/**
 * Changes sessions; each function runs inside a transaction.
 *
 *  SQLITE-1  The transaction that writes compares the fence's token and epoch with the row. Only another claim looks at the
 *            lease, so an expired lease still writes until then.
 *  SQLITE-2  A write checks fence, repeated write id, version, head and message ids, in this order, before it changes
 *            anything.
 *  SQLITE-3  `end` leaves no row, so a repeated `end` finds nothing and returns `committed`.
 *  SQLITE-4  Epochs grow with claims and with the clock: a file restored from a copy repeats none.
 *  SQLITE-5  `wake_at` is never later than `due_at`, nor than the end of the lease while the inbox has entries.
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
  HISTORY_MAX,
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

/** The session's row, unless its only claim never committed and expired. */
export function find(context: Context, sessionId: string): SessionRow | undefined {
  const row = context.sql.session(sessionId);
  return row === undefined || isAbandoned(row, context.now()) ? undefined : row;
}

/** The session's row, unless it never committed. */
export function findCommitted(context: Context, sessionId: string): SessionRow | undefined {
  const row = find(context, sessionId);
  return row === undefined || row.version === 0 ? undefined : row;
}

function isAbandoned({ version, expiresAt }: SessionRow, now: number): boolean {
  return version === 0 && expiresAt <= now;
}

export function claim(context: Context, sessionId: string, instance: string): ClaimOutcome {
  const { sql, options } = context;
  const now = context.now();
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

export function commit(
  context: Context,
  fence: Fence,
  write: Commit,
  afterCommit: AfterCommit,
): CommitOutcome {
  const { sql, hints, options } = context;
  const { sessionId } = fence;
  const row = find(context, sessionId);
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
  const now = context.now();
  const leaseUntil = now + options.leaseMs;
  const head = addFrames(context, row, write);
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
  addHistory(context, row, write.history);
  const { state, userId, createdAt } = write.index;
  // An unconditional update would rewrite three indexes with every commit.
  if (row.state !== state || row.userId !== userId || row.createdAt !== createdAt) {
    sql.relist(state, userId, createdAt, row.n);
  }
  if (write.notify) afterCommit(() => hints.emit({ kind: 'moved', sessionId }));
  return { kind: 'committed', inboxLength };
}

export function append(
  context: Context,
  fence: Fence,
  write: Append,
  afterCommit: AfterCommit,
): AppendOutcome {
  const { sql, hints, options } = context;
  const { sessionId } = fence;
  const row = find(context, sessionId);
  if (row === undefined || !owns(row, fence)) return { kind: 'fenced' };
  if (row.writeId === write.writeId) return { kind: 'committed', inboxLength: row.inboxLength };
  if (row.version === 0 || row.head !== write.expectedHead) return { kind: 'conflict' };

  const now = context.now();
  const head = addFrames(context, row, write);
  const inboxLength = takeInbox(sql, row, write.inboxTaken);
  sql.append(write.writeId, head, inboxLength, now + options.leaseMs, row.n);
  if (write.notify) afterCommit(() => hints.emit({ kind: 'moved', sessionId }));
  return { kind: 'committed', inboxLength };
}

export function renew(context: Context, fence: Fence): RenewOutcome {
  const row = find(context, fence.sessionId);
  if (row === undefined || !owns(row, fence)) return { kind: 'fenced' };
  const { leaseMs } = context.options;
  const now = context.now();
  if (row.version > 0) context.sql.renew(now + leaseMs, row.n);
  else context.sql.renewUncommitted(now + leaseMs, now + UNCOMMITTED_LEASES * leaseMs, row.n);
  return { kind: 'renewed', inboxLength: row.inboxLength };
}

export function release(
  context: Context,
  fence: Fence,
  notify: boolean,
  afterCommit: AfterCommit,
): ReleaseOutcome {
  const { sql, hints } = context;
  const { sessionId } = fence;
  const row = find(context, sessionId);
  // The session ended, or this release repeats one whose reply was lost.
  if (row === undefined || row.token === releasedToken(fence)) return { kind: 'released' };
  if (!owns(row, fence)) return { kind: 'fenced' };
  if (row.inboxLength > 0) return { kind: 'pending' };
  if (row.version > 0) sql.release(releasedToken(fence), row.n);
  else sql.forget(row.n);
  if (notify) afterCommit(() => hints.emit({ kind: 'moved', sessionId }));
  return { kind: 'released' };
}

export function discard(context: Context, sessionId: string, afterCommit: AfterCommit): DiscardOutcome {
  const { sql, hints, options } = context;
  const row = find(context, sessionId);
  if (row === undefined) return 'absent';
  if (isHeld(row, context.now(), options)) return 'held';
  sql.forget(row.n);
  afterCommit(() => hints.emit({ kind: 'ended', sessionId, frames: [] }));
  return 'discarded';
}

export function push(context: Context, sessionId: string, entry: string): PushOutcome {
  const { sql, options } = context;
  const row = findCommitted(context, sessionId);
  if (row === undefined) return { kind: 'absent' };
  if (row.inboxLength >= options.inboxMax) return { kind: 'full' };
  const now = context.now();
  const held = isHeld(row, now, options);
  const wanted = Math.max(held ? row.leaseUntil : now, row.hiddenUntil);
  sql.addInbox(row.n, entry);
  sql.countPushed(row.inboxLength + 1, Math.min(row.wakeAt ?? wanted, wanted), row.n);
  return { kind: 'pushed', owner: held ? row.instance : null };
}

export function tally({ sql, now }: Context, name: string, by: number, expiresAt: number): number {
  const at = now();
  if (by !== 0) {
    sql.forgetTallies(at);
    sql.addToTally(name, by, expiresAt);
  }
  return sql.tally(name, at)?.total ?? 0;
}

/** A lease with more than `leaseMs` left dates from before the clock was set back, so it does not count. */
export function isHeld({ leaseUntil }: SessionRow, now: number, { leaseMs }: StoreOptions): boolean {
  return leaseUntil > now && leaseUntil <= now + leaseMs;
}

function owns(row: SessionRow, fence: Fence): boolean {
  return row.token === fence.token && row.epoch === fence.epoch;
}

/** A released claim must not write again, yet an owner whose reply was lost repeats the release. */
function releasedToken(fence: Fence): string {
  return `-${fence.token}`;
}

function addFrames(context: Context, row: SessionRow, write: Append | Commit): number {
  const { frames } = write;
  for (const frame of frames) context.sql.addFrame(row.n, frame.offset, frame.data, frame.aux ?? null);
  const head = row.head + frames.length;
  if (frames.length > 0)
    context.sql.trimFrames(row.n, head - logMaxAfter(write, context.options.frameLogMax));
  return head;
}

function addHistory({ sql, options }: Context, { n, version }: SessionRow, record: string | undefined): void {
  const { historyMax = HISTORY_MAX } = options;
  if (record === undefined || historyMax === 0) return;
  sql.addHistory(n, version + 1, record);
  sql.trimHistory(n, version + 1 - historyMax);
}

function takeInbox(sql: Sql, row: SessionRow, taken: number): number {
  if (taken === 0) return row.inboxLength;
  return row.inboxLength - sql.takeInbox(row.n, taken);
}
