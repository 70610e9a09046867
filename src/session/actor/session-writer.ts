/**
 * SessionWriter holds one claim of a session: the state as it is stored, the lease, and the only way to change either.
 *
 *  WRITER-1  The writer's state is the acknowledged state: it changes with the answer to a write, never before.
 *  WRITER-2  A write is sent under one id until its outcome is known, or until the lease in which it began has lapsed.
 *  WRITER-3  The lease counts from the time at which an answered write was sent: the store's own time is unknown.
 *  WRITER-4  While `isLeaseValid`, no other instance can have claimed the session. Afterwards only the store can tell.
 *  WRITER-5  An inbox entry is taken once, and leaves the inbox with the write that applies it.
 *  WRITER-6  The log keeps a running turn from its start, however long the log grows: the next owner continues its
 *            text, and later readers need all of it.
 */
import type {
  Append,
  AppendOutcome,
  Commit,
  CommitOutcome,
  Fence,
  ReleaseOutcome,
  RenewOutcome,
  StoredFrame,
} from '../../store/contract.ts';
import { strippedOf } from '../history/history-event.ts';
import type { HistoryRecorder } from '../history/record.ts';
import { pathOf } from '../history/replay.ts';
import { indexOf, toSnapshot } from '../machine/snapshot.ts';
import type { MachineState, Step, StepEvent } from '../machine/step.ts';
import type { ActorHost, InboxEntry } from './actor-host.ts';
import type { BuiltFrames } from './frames.ts';
import { firstOf } from './timers.ts';

/** A claim, with the session that it found or that was created under it. */
export interface ClaimedSession {
  readonly fence: Fence;
  /** Monotonic time at which the claim was sent. */
  readonly claimedMs: number;
  readonly state: MachineState;
  readonly version: number;
  readonly head: number;
  /** Offset of the running turn's last `turn.started`. */
  readonly turnOffset: number;
  /** Writes the records of this claim's transitions; null: the store keeps no history. */
  readonly recorder: HistoryRecorder | null;
}

/** A transition as its record tells of it. */
export interface Caused {
  readonly event: StepEvent;
  readonly taken: Step['taken'];
}

/** The store did not answer within a lease. */
type Lost = { readonly kind: 'lost' };

type WriterHost = Pick<
  ActorHost,
  'instance' | 'store' | 'clock' | 'leaseMs' | 'openInboxEntry' | 'storeFailed'
>;

const FIRST_RETRY_MS = 25;
const LONGEST_RETRY_MS = 1_000;

export class SessionWriter {
  readonly fence: Fence;
  readonly #host: WriterHost;
  readonly #isStopped: () => boolean;
  readonly #recorder: HistoryRecorder | null;
  #state: MachineState;
  #version: number;
  #head: number;
  #turnOffset: number;
  #leasedMs: number;
  #writes = 0;
  /** Inbox entries that were taken, but that no write has applied yet. */
  #takenInput = 0;
  #hasMoreInput = false;

  constructor(host: WriterHost, claimed: ClaimedSession, isStopped: () => boolean) {
    this.#host = host;
    this.#isStopped = isStopped;
    this.fence = claimed.fence;
    this.#recorder = claimed.recorder;
    this.#state = claimed.state;
    this.#version = claimed.version;
    this.#head = claimed.head;
    this.#turnOffset = claimed.turnOffset;
    this.#leasedMs = claimed.claimedMs;
  }

  get state(): MachineState {
    return this.#state;
  }

  get version(): number {
    return this.#version;
  }

  get head(): number {
    return this.#head;
  }

  /** True if the last answer counted inbox entries that were not taken yet. */
  get hasMoreInput(): boolean {
    return this.#hasMoreInput;
  }

  get isLeaseValid(): boolean {
    return this.#leaseAgeMs < this.#host.leaseMs;
  }

  /** True once the lease needs a write or a renewal to stay valid. */
  get isLeaseAging(): boolean {
    return this.#leaseAgeMs >= this.#host.leaseMs / 3;
  }

  /** The record of the transition that the next commit stores; undefined without a history. */
  record({ event, taken }: Caused, next: MachineState): string | undefined {
    const from = pathOf(this.#state.snapshot.value);
    return this.#recorder?.write({
      ...{ version: this.#version + 1, at: event.at, event: strippedOf(event), from },
      ...{ to: pathOf(next.snapshot.value), taken },
      waitedMs: Math.max(0, Math.round(this.#host.clock.now() - event.at)),
    });
  }

  async commit(
    next: MachineState,
    built: BuiltFrames,
    inboxTaken: number,
    history: string | undefined,
    at: number,
  ): Promise<CommitOutcome | Lost> {
    const { snapshot } = next;
    const { frames, transcript, messageIds } = built;
    const turnOffset = built.turnOffset ?? this.#turnOffset;
    const isWatched = this.#isWatched(next) || this.#isWatched(this.#state);
    const end = snapshot.status === 'done';
    const commit: Commit = {
      writeId: this.#nextWriteId(),
      expectedVersion: this.#version,
      expectedHead: this.#head,
      snapshot: JSON.stringify(toSnapshot(next, turnOffset)),
      frames,
      transcript,
      messageIds,
      inboxTaken,
      dueAt: this.#dueAt(next),
      index: indexOf(snapshot.value, snapshot.context),
      notify: end || isWatched,
      end,
      tail: isWatched,
      ...(history === undefined ? {} : { history }),
      ...keepTurn(next, turnOffset),
    };
    const outcome = await this.#write((store, fence) => store.commit(fence, commit));
    if (outcome.kind !== 'committed') return outcome;
    this.#state = next;
    this.#version += 1;
    this.#recorder?.stored(this.#version, at);
    this.#head += frames.length;
    this.#turnOffset = turnOffset;
    this.#countInput(inboxTaken, end ? 0 : outcome.inboxLength);
    return outcome;
  }

  async append(frames: readonly StoredFrame[], inboxTaken: number): Promise<AppendOutcome | Lost> {
    const append: Append = {
      writeId: this.#nextWriteId(),
      expectedHead: this.#head,
      frames,
      inboxTaken,
      notify: frames.length > 0 && this.#isWatched(this.#state),
      ...keepTurn(this.#state, this.#turnOffset),
    };
    const outcome = await this.#write((store, fence) => store.append(fence, append));
    if (outcome.kind !== 'committed') return outcome;
    this.#head += frames.length;
    this.#countInput(inboxTaken, outcome.inboxLength);
    return outcome;
  }

  async renew(): Promise<RenewOutcome | Lost> {
    const outcome = await this.#write((store, fence) => store.renew(fence));
    if (outcome.kind === 'renewed') this.#countInput(0, outcome.inboxLength);
    return outcome;
  }

  release(): Promise<ReleaseOutcome | Lost> {
    const notify = this.#isWatched(this.#state);
    return this.#write((store, fence) => store.release(fence, notify));
  }

  /** Takes the inbox entries that were not taken before; none if the store does not answer. */
  async takeInput(): Promise<readonly InboxEntry[]> {
    const { store, openInboxEntry, storeFailed } = this.#host;
    const { sessionId } = this.fence;
    const entries = await store.readInbox(sessionId).catch((error: unknown) => {
      storeFailed(sessionId, error);
      return [];
    });
    const fresh = entries.slice(this.#takenInput);
    this.#takenInput += fresh.length;
    this.#hasMoreInput = false;
    return fresh.map((entry) => openInboxEntry(sessionId, entry));
  }

  /** WRITER-2, WRITER-3 */
  async #write<T>(send: (store: WriterHost['store'], fence: Fence) => Promise<T>): Promise<T | Lost> {
    const { store, clock, leaseMs } = this.#host;
    const startedMs = clock.monotonicMs();
    for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)) {
      const sentMs = clock.monotonicMs();
      try {
        const outcome = await send(store, this.fence);
        this.#leasedMs = sentMs;
        return outcome;
      } catch (error) {
        if (this.#isStopped()) return { kind: 'lost' };
        this.#host.storeFailed(this.fence.sessionId, error);
        if (clock.monotonicMs() + retryMs - startedMs >= leaseMs) return { kind: 'lost' };
        await new Promise<void>((resume) => clock.after(retryMs, resume));
      }
    }
  }

  #nextWriteId(): string {
    this.#writes += 1;
    return `${this.fence.token}.${this.#writes}`;
  }

  get #leaseAgeMs(): number {
    return this.#host.clock.monotonicMs() - this.#leasedMs;
  }

  #countInput(inboxTaken: number, inboxLength: number): void {
    this.#takenInput -= inboxTaken;
    this.#hasMoreInput = inboxLength > this.#takenInput;
  }

  /** True while other instances have sockets of the session. */
  #isWatched({ snapshot }: MachineState): boolean {
    return snapshot.context.attached.some((instance) => instance !== this.#host.instance);
  }

  /** The next moment at which the session needs an owner: a deadline, or the end of the lease while a turn runs. */
  #dueAt({ timers, snapshot }: MachineState): number | null {
    const deadlineAt = firstOf(timers)?.dueAt ?? null;
    if (snapshot.context.turn === null) return deadlineAt;
    const leaseEndsAt = this.#host.clock.now() + this.#host.leaseMs;
    return deadlineAt === null ? leaseEndsAt : Math.min(deadlineAt, leaseEndsAt);
  }
}

/** WRITER-6 */
function keepTurn({ snapshot }: MachineState, turnOffset: number): Pick<Append, 'keepFrom'> {
  return snapshot.context.turn === null ? {} : { keepFrom: turnOffset };
}
