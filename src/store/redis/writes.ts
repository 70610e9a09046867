/**
 * Everything that changes a session, one script call each (a claim takes two round trips: the lock, then the
 * session). The rules are in the scripts; here is only what goes in and what the answers mean.
 */

import {
  type Append,
  type AppendOutcome,
  type ClaimOutcome,
  type Commit,
  type CommitOutcome,
  type DiscardOutcome,
  type Fence,
  type PushOutcome,
  type ReleaseOutcome,
  type RenewOutcome,
  type StoredFrame,
  type StoreOptions,
  UNCOMMITTED_LEASES,
} from '../contract.ts';
import { assertContinues, logMaxAfter, TAIL_FRAMES } from '../log.ts';
import type { Argument, Batch } from './batch.ts';
import { type SessionKeys, sessionKeys } from './keys.ts';
import { listedAs } from './listing.ts';
import type { Locks } from './lock.ts';
import { claimedRecord, integer, list, text } from './replies.ts';
import { scripts } from './scripts.ts';
import { endedMessage, movedMessage } from './subscriber.ts';

const FENCED = -1;
const CONFLICT = -2;
const PENDING = -2;

export interface Writes {
  claim(sessionId: string, instance: string): Promise<ClaimOutcome>;
  commit(fence: Fence, write: Commit): Promise<CommitOutcome>;
  append(fence: Fence, write: Append): Promise<AppendOutcome>;
  renew(fence: Fence): Promise<RenewOutcome>;
  release(fence: Fence, notify: boolean): Promise<ReleaseOutcome>;
  discard(sessionId: string): Promise<DiscardOutcome>;
  push(sessionId: string, entry: string): Promise<PushOutcome>;
}

export function createWrites(batch: Batch, locks: Locks, options: StoreOptions): Writes {
  const { leaseMs, frameLogMax, inboxMax } = options;
  const uncommittedMs = UNCOMMITTED_LEASES * leaseMs;

  async function held(keys: SessionKeys): Promise<ClaimOutcome> {
    const [instance, leaseLeftMs] = list(await batch.call(scripts.holder, [keys.session, keys.lock], []));
    return { kind: 'held', instance: text(instance) || null, leaseLeftMs: integer(leaseLeftMs) };
  }

  return {
    async claim(sessionId, instance) {
      const keys = sessionKeys(sessionId);
      const token = await locks.acquire(keys.lock);
      if (token === null) return held(keys);
      const reply = list(
        await batch.call(
          scripts.claim,
          [keys.session, keys.lock, keys.inbox],
          [token, instance, leaseMs, uncommittedMs],
        ),
      );
      // So long between the two round trips that the lock ran out and another has it.
      if (reply.length === 0) return held(keys);
      const fence = { sessionId, instance, token, epoch: integer(reply[0]) };
      return { kind: 'claimed', fence, record: claimedRecord(reply, instance) };
    },

    async commit(fence, write) {
      const { sessionId } = fence;
      const keys = sessionKeys(sessionId);
      const args: Argument[] = [
        fence.token,
        fence.epoch,
        write.writeId,
        write.expectedVersion,
        write.expectedHead,
        write.snapshot,
        write.dueAt ?? '',
        leaseMs,
        write.inboxTaken,
        logMaxAfter(write, frameLogMax),
        write.notify ? hintOf(sessionId, write) : '',
        write.end ? (write.tail === true ? TAIL_FRAMES : 0) : '',
        sessionId,
        write.messageIds.length,
        write.transcript.length,
        listedAs(write.index),
        ...write.messageIds,
      ];
      for (const entry of write.transcript) args.push(JSON.stringify(entry));
      pushFrames(args, write.expectedHead, write.frames);
      const { session, lock, log, transcript, inbox, due, channel, listing } = keys;
      const reply = await batch.call(
        scripts.commit,
        [session, lock, log, transcript, inbox, due, channel, listing],
        args,
      );
      if (typeof reply === 'string') return { kind: 'duplicate', messageId: reply };
      return written(integer(reply));
    },

    async append(fence, write) {
      const { session, lock, log, transcript, inbox, channel } = sessionKeys(fence.sessionId);
      const args: Argument[] = [
        fence.token,
        fence.epoch,
        write.writeId,
        write.expectedHead,
        leaseMs,
        write.inboxTaken,
        logMaxAfter(write, frameLogMax),
        write.notify ? movedMessage(fence.sessionId) : '',
      ];
      pushFrames(args, write.expectedHead, write.frames);
      return written(
        integer(await batch.call(scripts.append, [session, lock, log, transcript, inbox, channel], args)),
      );
    },

    async renew(fence) {
      const { session, lock, log, transcript, inbox } = sessionKeys(fence.sessionId);
      const args = [fence.token, fence.epoch, leaseMs, uncommittedMs];
      const reply = integer(await batch.call(scripts.renew, [session, lock, log, transcript, inbox], args));
      return reply === FENCED ? { kind: 'fenced' } : { kind: 'renewed', inboxLength: reply };
    },

    async release(fence, notify) {
      const { session, lock, inbox, channel } = sessionKeys(fence.sessionId);
      const args = [fence.token, fence.epoch, notify ? movedMessage(fence.sessionId) : ''];
      const reply = integer(await batch.call(scripts.release, [session, lock, inbox, channel], args));
      if (reply === FENCED) return { kind: 'fenced' };
      return reply === PENDING ? { kind: 'pending' } : { kind: 'released' };
    },

    async discard(sessionId) {
      const { session, lock, log, transcript, inbox, due, channel, listing, stage } = sessionKeys(sessionId);
      const keys = [session, lock, log, transcript, inbox, due, channel, listing, stage];
      const reply = text(await batch.call(scripts.discard, keys, [sessionId, endedMessage(sessionId, [])]));
      return reply as DiscardOutcome;
    },

    async push(sessionId, entry) {
      const { session, lock, inbox, due } = sessionKeys(sessionId);
      const args = [sessionId, entry, Date.now(), inboxMax];
      const reply = await batch.call(scripts.push, [session, lock, inbox, due], args);
      if (reply === -1) return { kind: 'absent' };
      if (reply === -2) return { kind: 'full' };
      return { kind: 'pushed', owner: reply === null ? null : text(reply) };
    },
  };
}

function hintOf(sessionId: string, write: Commit): string {
  return write.end ? endedMessage(sessionId, write.frames) : movedMessage(sessionId);
}

function written(reply: number): AppendOutcome {
  if (reply === FENCED) return { kind: 'fenced' };
  if (reply === CONFLICT) return { kind: 'conflict' };
  return { kind: 'committed', inboxLength: reply };
}

/** The scripts number frames by the head. */
function pushFrames(args: Argument[], head: number, frames: readonly StoredFrame[]): void {
  assertContinues(head, frames);
  for (const frame of frames) args.push(frame.data, frame.aux ?? '');
}
