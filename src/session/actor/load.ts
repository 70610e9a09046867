/**
 * From a session id to a live actor: claim it, then make it or bring it back.
 * The claim carries the stored session, so a quiet one costs two round trips; a running turn costs one more per page
 * of its log, to know the text that is stored already.
 */
import type { SessionInput } from '../../../machines/vocabulary.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Fence, SessionRecord, Store } from '../../store/contract.ts';
import { indexOf } from '../machine/session-index.ts';
import { readSnapshot, type Snapshot, toSnapshot } from '../machine/snapshot.ts';
import { begin, type MachineState, restore } from '../machine/step.ts';
import { TurnText } from '../turn/turn-text.ts';
import type { ActorHost } from './actor-host.ts';
import { buildFrames } from './frames.ts';
import { type ActorStart, SessionActor } from './session-actor.ts';
import type { UserQuota } from './user-quota.ts';

export type LoadedSession =
  | { readonly kind: 'resident'; readonly actor: SessionActor; readonly created: boolean }
  | { readonly kind: 'held'; readonly instance: string | null; readonly leaseLeftMs: number }
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

const LOG_PAGE = 1_000;

type Claimed = Pick<ActorStart, 'fence' | 'claimedMs'>;

/** `create` is what a new session begins with; null where only an existing one will do. Rejects when the store does. */
export async function loadSession(
  host: ActorHost,
  sessionId: string,
  create: SessionInput | null,
  quota: UserQuota,
): Promise<LoadedSession> {
  const claimedMs = host.clock.monotonicMs();
  const claim = await host.store.claim(sessionId, host.instance);
  if (claim.kind === 'held') return claim;
  const { record } = claim;
  const claimed: Claimed = { fence: claim.fence, claimedMs };
  if (record !== null) return bringBack(host, claimed, record);
  const made = create === null ? null : await quota.within(create.userId, () => make(host, claimed, create));
  if (made !== null) return made;
  await host.store.release(claim.fence, false);
  return create === null ? { kind: 'absent' } : { kind: 'refused', code: 'too_many_sessions' };
}

async function make(host: ActorHost, claimed: Claimed, input: SessionInput): Promise<LoadedSession> {
  const { fence } = claimed;
  const { next, effects } = begin(input, '1');
  const composed = buildFrames(effects, 0, fence.epoch, 1, null, null);
  const outcome = await host.store.commit(fence, {
    writeId: `${fence.token}.begin`,
    expectedVersion: 0,
    expectedHead: 0,
    snapshot: JSON.stringify(toSnapshot(next, 0)),
    frames: composed.frames,
    transcript: [],
    messageIds: [],
    inboxTaken: 0,
    dueAt: Math.min(...Object.values(next.timers)),
    index: indexOf(next.snapshot.value, next.snapshot.context),
    notify: false,
    end: false,
  });
  if (outcome.kind !== 'committed') return { kind: 'refused', code: 'session_moved' };
  const actor = new SessionActor(host, {
    ...claimed,
    resting: next,
    version: 1,
    head: composed.frames.length,
    turnOffset: 0,
    turnText: null,
    transcript: [],
    inboxLength: outcome.inboxLength,
  });
  return { kind: 'resident', actor, created: true };
}

async function bringBack(host: ActorHost, claimed: Claimed, record: SessionRecord): Promise<LoadedSession> {
  const { fence } = claimed;
  const read = restoreFrom(record.snapshot);
  if (read.kind === 'unreadable') return refuse(host, fence, read);
  const { envelope, resting, migrated } = read;
  const turn = await readTurnText(host.store, fence.sessionId, envelope);
  if (turn.kind === 'unreadable') return refuse(host, fence, turn);
  let { version } = record;
  if (migrated) {
    const stored = await storeMigrated(host.store, fence, record, envelope);
    if (!stored) return { kind: 'refused', code: 'session_moved' };
    version += 1;
  }
  const start: ActorStart = {
    ...claimed,
    resting,
    version,
    head: record.head,
    turnOffset: envelope.turnOffset,
    turnText: turn.text,
    transcript: null,
    inboxLength: record.inboxLength,
  };
  return { kind: 'resident', actor: new SessionActor(host, start), created: false };
}

/** Nothing is written over what cannot be read, and it is not held: whoever repairs it, or is newer, can have it. */
async function refuse(host: ActorHost, fence: Fence, { code, why }: Unreadable): Promise<LoadedSession> {
  await host.store.release(fence, false);
  host.unreadable(fence.sessionId, why);
  return { kind: 'refused', code };
}

interface Unreadable {
  readonly kind: 'unreadable';
  readonly code: ErrorCode;
  readonly why: string;
}

type Read =
  | {
      readonly kind: 'read';
      readonly envelope: Snapshot;
      readonly resting: MachineState;
      readonly migrated: boolean;
    }
  | Unreadable;

function restoreFrom(snapshot: string): Read {
  const opened = readSnapshot(snapshot);
  if (opened.kind === 'newer')
    return { kind: 'unreadable', code: 'version_unsupported', why: `version ${opened.version}` };
  if (opened.kind === 'unreadable') return { kind: 'unreadable', code: 'internal', why: opened.reason };
  const { value, context, timers, jobs } = opened.envelope;
  try {
    const resting = restore(value, context, timers, jobs);
    return { kind: 'read', envelope: opened.envelope, resting, migrated: opened.migrated };
  } catch {
    return { kind: 'unreadable', code: 'internal', why: 'the machine has no such state' };
  }
}

/** The migrated form is stored under the fence before anybody is served from it. */
async function storeMigrated(store: Store, fence: Fence, record: SessionRecord, envelope: Snapshot) {
  const outcome = await store.commit(fence, {
    writeId: `${fence.token}.migrate`,
    expectedVersion: record.version,
    expectedHead: record.head,
    snapshot: JSON.stringify(envelope),
    frames: [],
    transcript: [],
    messageIds: [],
    inboxTaken: 0,
    dueAt: record.dueAt,
    index: indexOf(envelope.value, envelope.context),
    notify: false,
    end: false,
  });
  return outcome.kind === 'committed';
}

/** What is stored of the running turn's text; null where none runs. Rejects when the store does. */
async function readTurnText(
  store: Store,
  sessionId: string,
  envelope: Snapshot,
): Promise<{ readonly kind: 'read'; readonly text: TurnText | null } | Unreadable> {
  const { turn } = envelope.context;
  if (turn === null) return { kind: 'read', text: null };
  // The offset is that of the last start: an answer that started over is read from there.
  const text = new TurnText(turn.id, turn.restarts);
  for (let after = envelope.turnOffset; ; ) {
    const page = await store.readLog(sessionId, after, LOG_PAGE);
    if (page === null || page.frames.length === 0) return { kind: 'read', text };
    if (page.first > envelope.turnOffset + 1) text.markIncomplete();
    try {
      for (const frame of page.frames) text.replay(frame);
    } catch {
      return { kind: 'unreadable', code: 'internal', why: 'a frame of the running turn is not JSON' };
    }
    after = page.frames.at(-1)?.offset ?? page.head;
    if (after >= page.head) return { kind: 'read', text };
  }
}
