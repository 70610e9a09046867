/**
 * loadSession takes a session id to a live actor: it claims the session, then creates it or restores it.
 * The claim's answer carries the stored session, so a quiet one costs one round trip. A running turn costs one more per
 * page of its log, to read the text that is stored already.
 */
import type { SessionInput } from '../../../machines/vocabulary.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Fence, SessionRecord, Store, TranscriptEntry } from '../../store/contract.ts';
import { indexUser } from '../../store/tenant-index.ts';
import { beginningOf, MIGRATES } from '../history/history-event.ts';
import { HistoryRecorder } from '../history/record.ts';
import { pathOf } from '../history/replay.ts';
import { indexOf, readSnapshot, type Snapshot, toSnapshot } from '../machine/snapshot.ts';
import { begin, type MachineState, restoreState, type Step, step } from '../machine/step.ts';
import { TurnText } from '../turn/turn-text.ts';
import type { ActorHost } from './actor-host.ts';
import { buildFrames } from './frames.ts';
import { type ActorStart, SessionActor } from './session-actor.ts';
import type { UserQuota } from './user-quota.ts';

export type LoadedSession =
  | { readonly kind: 'loaded'; readonly actor: SessionActor; readonly created: boolean }
  | { readonly kind: 'held'; readonly instance: string | null; readonly leaseLeftMs: number }
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

/** A session that does not exist yet. With `transcript` it is a fork, which no client has reached so far. */
export type NewSession = SessionInput & { readonly transcript?: readonly TranscriptEntry[] };

const LOG_PAGE = 1_000;

type Claimed = Pick<ActorStart, 'fence' | 'claimedMs' | 'recorder'>;

/** `input` begins a new session; null: load only an existing one. Rejects when the store does. */
export async function loadSession(
  host: ActorHost,
  sessionId: string,
  input: NewSession | null,
  quota: UserQuota,
): Promise<LoadedSession> {
  const claimedMs = host.clock.monotonicMs();
  const claim = await host.store.claim(sessionId, host.instance);
  if (claim.kind === 'held') return claim;
  const { record } = claim;
  const { instance, epoch } = claim.fence;
  const recorder = host.historyMax === 0 ? null : new HistoryRecorder({ instance, epoch }, host.historyMax);
  const claimed: Claimed = { fence: claim.fence, claimedMs, recorder };
  if (record !== null) return restore(host, claimed, record);
  const created =
    input === null ? null : await quota.within(ownerOf(input), () => create(host, claimed, input));
  if (created !== null) return created;
  await host.store.release(claim.fence, false);
  return input === null ? { kind: 'absent' } : { kind: 'refused', code: 'too_many_sessions' };
}

/** The user for whom the session counts, as the index names the user. */
function ownerOf({ userId, tenant = '' }: SessionInput): string | null {
  return userId === null ? null : indexUser(tenant, userId);
}

async function create(host: ActorHost, claimed: Claimed, input: NewSession): Promise<LoadedSession> {
  const { fence } = claimed;
  const { transcript = [] } = input;
  const isFork = input.transcript !== undefined;
  const { next, effects, taken } = isFork ? beginWithoutClient(input) : begin(input, '1');
  const built = buildFrames(effects, { head: 0, epoch: fence.epoch, version: 1 }, null, null);
  const history = claimed.recorder?.write({
    ...{ version: 1, at: input.at, event: beginningOf(input, isFork), from: '' },
    ...{ to: pathOf(next.snapshot.value), taken, waitedMs: waitedMs(host, input.at) },
  });
  const outcome = await host.store.commit(fence, {
    writeId: `${fence.token}.begin`,
    expectedVersion: 0,
    expectedHead: 0,
    snapshot: JSON.stringify(toSnapshot(next, 0)),
    frames: built.frames,
    transcript,
    messageIds: [],
    ...(history === undefined ? {} : { history }),
    inboxTaken: 0,
    dueAt: Math.min(...Object.values(next.timers)),
    index: indexOf(next.snapshot.value, next.snapshot.context),
    notify: false,
    end: false,
  });
  if (outcome.kind !== 'committed') return { kind: 'refused', code: 'session_moved' };
  claimed.recorder?.stored(1, input.at);
  const actor = new SessionActor(host, {
    ...claimed,
    state: next,
    version: 1,
    head: built.frames.length,
    turnOffset: 0,
    turnText: null,
    transcript,
    inboxLength: outcome.inboxLength,
  });
  return { kind: 'loaded', actor, created: true };
}

function beginWithoutClient(input: NewSession): Step {
  const begun = begin(input, '1');
  const left = step(begun.next, { type: 'detach', at: input.at, instance: input.instance }, '1');
  return {
    ...left,
    effects: [...begun.effects, ...left.effects],
    taken: [...begun.taken, ...left.taken],
  };
}

async function restore(host: ActorHost, claimed: Claimed, record: SessionRecord): Promise<LoadedSession> {
  const { fence } = claimed;
  const read = stateIn(record.snapshot);
  if (read.kind === 'unreadable') return refuse(host, fence, read);
  const { snapshot, state, migratedFrom } = read;
  const turn = await readTurnText(host.store, fence.sessionId, snapshot);
  if (turn.kind === 'unreadable') return refuse(host, fence, turn);
  let { version } = record;
  if (migratedFrom !== null) {
    const stored = await storeMigrated(host, claimed, record, snapshot, migratedFrom);
    if (!stored) return { kind: 'refused', code: 'session_moved' };
    version += 1;
  }
  const start: ActorStart = {
    ...claimed,
    state,
    version,
    head: record.head,
    turnOffset: snapshot.turnOffset,
    turnText: turn.text,
    transcript: null,
    inboxLength: record.inboxLength,
  };
  return { kind: 'loaded', actor: new SessionActor(host, start), created: false };
}

/** Releases a session that this instance cannot read, unchanged: a newer instance or an operator may still read it. */
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
      readonly snapshot: Snapshot;
      readonly state: MachineState;
      /** The machine version of the stored form, if the snapshot was migrated; null: it was not. */
      readonly migratedFrom: number | null;
    }
  | Unreadable;

function stateIn(json: string): Read {
  const opened = readSnapshot(json);
  if (opened.kind === 'newer')
    return { kind: 'unreadable', code: 'version_unsupported', why: `version ${opened.version}` };
  if (opened.kind === 'unreadable') return { kind: 'unreadable', code: 'internal', why: opened.reason };
  const { value, context, timers, jobs } = opened.snapshot;
  try {
    const state = restoreState(value, context, timers, jobs);
    return { kind: 'read', snapshot: opened.snapshot, state, migratedFrom: opened.from ?? null };
  } catch {
    return { kind: 'unreadable', code: 'internal', why: 'the machine has no such state' };
  }
}

function waitedMs({ clock }: ActorHost, at: number): number {
  return Math.max(0, Math.round(clock.now() - at));
}

/** Stores the migrated form under the fence before any client is served from it. */
async function storeMigrated(
  { store, clock }: ActorHost,
  { fence, recorder }: Claimed,
  record: SessionRecord,
  snapshot: Snapshot,
  from: number,
): Promise<boolean> {
  const [version, at, path] = [record.version + 1, Math.round(clock.now()), pathOf(snapshot.value)];
  const event = { type: MIGRATES, fromMachineVersion: from };
  const history = recorder?.write({ version, at, event, from: path, to: path, taken: [], waitedMs: 0 });
  const outcome = await store.commit(fence, {
    writeId: `${fence.token}.migrate`,
    expectedVersion: record.version,
    expectedHead: record.head,
    snapshot: JSON.stringify(snapshot),
    frames: [],
    transcript: [],
    messageIds: [],
    ...(history === undefined ? {} : { history }),
    inboxTaken: 0,
    dueAt: record.dueAt,
    index: indexOf(snapshot.value, snapshot.context),
    notify: false,
    end: false,
  });
  recorder?.stored(version, at);
  return outcome.kind === 'committed';
}

/** The stored text of the running turn; null if none runs. Rejects when the store does. */
async function readTurnText(
  store: Store,
  sessionId: string,
  snapshot: Snapshot,
): Promise<{ readonly kind: 'read'; readonly text: TurnText | null } | Unreadable> {
  const { turn } = snapshot.context;
  if (turn === null) return { kind: 'read', text: null };
  // The offset is that of the last start: an answer that started over is read from there on.
  const text = new TurnText(turn.id, turn.restarts);
  for (let after = snapshot.turnOffset; ; ) {
    const page = await store.readLog(sessionId, after, LOG_PAGE);
    if (page === null || page.frames.length === 0) return { kind: 'read', text };
    if (page.first > snapshot.turnOffset + 1) text.markIncomplete();
    try {
      for (const frame of page.frames) text.replay(frame);
    } catch {
      return { kind: 'unreadable', code: 'internal', why: 'a frame of the running turn is not JSON' };
    }
    after = page.frames.at(-1)?.offset ?? page.head;
    if (after >= page.head) return { kind: 'read', text };
  }
}
