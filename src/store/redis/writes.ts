/**
 * Changes sessions, one script call per write. The rules are in the scripts: this file builds their arguments and reads
 * their replies.
 */
import {
  type Append,
  type AppendOutcome,
  type Commit,
  type DiscardOutcome,
  type Fence,
  HISTORY_MAX,
  type Store,
  type StoreOptions,
  UNCOMMITTED_LEASES,
} from '../contract.ts';
import { assertContinues, logMaxAfter, TAIL_FRAMES } from '../log.ts';
import { type Argument, type Batch, type KeyList, keyList } from './batch.ts';
import { sessionKeys } from './keys.ts';
import { listedAs } from './listing.ts';
import type { Locks } from './lock.ts';
import { integer, record, text } from './replies.ts';
import { scripts } from './scripts.ts';
import { endedMessage, movedMessage } from './subscriber.ts';
import { elementsOf, type LastDelta } from './texts/log-element.ts';
import { shortEntry, shortSnapshot } from './texts/short-texts.ts';

const FENCED = -1;
const CONFLICT = -2;
const PENDING = -2;

/** The keys of an owner's frequent writes. */
interface OwnerKeys {
  readonly commit: KeyList;
  readonly append: KeyList;
}

/** What the last acknowledged write of a claim left. */
interface LastWrite {
  /** The log's newest frame, if this write stored it and it is a delta. */
  readonly delta: LastDelta | null;
  readonly keepFrom: number | undefined;
}

type Writes = Pick<Store, 'claim' | 'commit' | 'append' | 'renew' | 'release' | 'discard' | 'push'>;

export function createWrites(batch: Batch, locks: Locks, options: StoreOptions): Writes {
  const { leaseMs, frameLogMax, inboxMax, historyMax = HISTORY_MAX } = options;
  const uncommittedMs = UNCOMMITTED_LEASES * leaseMs;
  const keysByFence = new WeakMap<Fence, OwnerKeys>();
  const lastWrites = new WeakMap<Fence, LastWrite>();

  /** Adds the frames to the arguments of a write; a frame's place in the log gives its offset. */
  function pushFrames(args: Argument[], fence: Fence, write: Commit | Append): LastWrite {
    const { expectedHead, frames, keepFrom } = write;
    assertContinues(expectedHead, frames);
    const { elements, last } = elementsOf(frames, lastWrites.get(fence)?.delta);
    args.push(...elements);
    return { delta: last, keepFrom };
  }

  function written(fence: Fence, reply: number, write: LastWrite): AppendOutcome {
    if (reply === FENCED) return { kind: 'fenced' };
    if (reply === CONFLICT) return { kind: 'conflict' };
    lastWrites.set(fence, write);
    return { kind: 'committed', inboxLength: reply };
  }

  /** The offsets of the turn that this commit ends, if it ends one: no continuation will need the aux of its frames. */
  function pastTurn(
    fence: Fence,
    { keepFrom }: Commit,
  ): { readonly from: number; readonly to: number } | null {
    const from = lastWrites.get(fence)?.keepFrom;
    if (from === undefined || from === keepFrom) return null;
    return { from, to: keepFrom === undefined ? Number.POSITIVE_INFINITY : keepFrom - 1 };
  }

  function ownerKeys(fence: Fence): OwnerKeys {
    const known = keysByFence.get(fence);
    if (known !== undefined) return known;
    const { session, lock, log, transcript, inbox, channel } = sessionKeys(fence.sessionId);
    const keys = {
      commit: commitKeys(fence.sessionId),
      append: keyList([session, lock, log, transcript, inbox, channel]),
    };
    keysByFence.set(fence, keys);
    return keys;
  }

  return {
    async claim(sessionId, instance) {
      const { token, rest } = await locks.claim(sessionKeys(sessionId), [instance, uncommittedMs]);
      if (token === null) {
        const [holder, leaseLeftMs] = rest;
        return { kind: 'held', instance: text(holder) || null, leaseLeftMs: integer(leaseLeftMs) };
      }
      const [epoch, row = null] = rest;
      const fence = { sessionId, instance, token, epoch: integer(epoch) };
      return { kind: 'claimed', fence, record: record(row) };
    },

    async commit(fence, write) {
      const { sessionId } = fence;
      const past = pastTurn(fence, write);
      const args: Argument[] = [
        fence.token,
        fence.epoch,
        write.writeId,
        write.expectedVersion,
        write.expectedHead,
        shortSnapshot(write.snapshot),
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
        past === null ? '' : past.from,
        past === null ? '' : Math.min(past.to, write.expectedHead),
        historyMax === 0 ? '' : (write.history ?? ''),
        historyMax,
        ...write.messageIds,
      ];
      for (const entry of write.transcript) args.push(shortEntry(JSON.stringify(entry)));
      const last = pushFrames(args, fence, past === null ? write : withoutAux(write, past.to));
      // A new session may stay quiet: only its second write keeps the encoded keys, 1.6 KiB.
      const keys = write.expectedVersion === 0 ? commitKeys(sessionId) : ownerKeys(fence).commit;
      const reply = await batch.call(scripts.commit, keys, args);
      if (typeof reply === 'string') return { kind: 'duplicate', messageId: reply };
      return written(fence, integer(reply), last);
    },

    async append(fence, write) {
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
      const last = pushFrames(args, fence, write);
      return written(fence, integer(await batch.call(scripts.append, ownerKeys(fence).append, args)), last);
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
      const { session, lock, log, transcript, inbox, due, channel, listing, stage, history, pages } =
        sessionKeys(sessionId);
      const keys = [session, lock, log, transcript, inbox, due, channel, listing, stage, history, pages];
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

function commitKeys(sessionId: string): KeyList {
  const { session, lock, log, transcript, inbox, due, channel, listing, history, pages } =
    sessionKeys(sessionId);
  return keyList([session, lock, log, transcript, inbox, due, channel, listing, history, pages]);
}

function withoutAux(write: Commit, to: number): Commit {
  return {
    ...write,
    frames: write.frames.map(({ aux, ...frame }) =>
      aux === undefined || frame.offset <= to ? frame : { ...frame, aux },
    ),
  };
}

function hintOf(sessionId: string, write: Commit): string {
  return write.end ? endedMessage(sessionId, write.frames) : movedMessage(sessionId);
}
