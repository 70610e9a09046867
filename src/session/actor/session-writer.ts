/**
 * What the owner of a session holds: the session as it is stored, and the tenure under which alone it changes.
 *
 *  O1  What is held is what was acknowledged: it changes with the answer of a write, never before.
 *  O2  An inbox entry is taken up once and leaves the inbox with the write that applies it.
 *  O3  A running turn stays in the log from its start, however long the log becomes: who continues it, and who reads
 *      its answer later, needs all of its text.
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
import { indexOf } from '../machine/session-index.ts';
import { toSnapshot } from '../machine/snapshot.ts';
import type { MachineState, Step } from '../machine/step.ts';
import type { ActorHost, InboxEntry } from './actor-host.ts';
import type { BuiltFrames } from './frames.ts';
import { Lease } from './lease.ts';

/** A claim, and what it found or what was made under it. */
export interface ClaimedSession {
  readonly fence: Fence;
  /** By the monotonic clock: when the claim was sent. */
  readonly claimedMs: number;
  readonly resting: MachineState;
  readonly version: number;
  readonly head: number;
  /** Offset of the running turn's last `turn.started`. */
  readonly turnOffset: number;
}

export interface SessionWriterPorts {
  readonly host: ActorHost;
  readonly stopped: () => boolean;
  readonly failed: (error: unknown) => void;
}

type Lost = { readonly kind: 'lost' };

export class SessionWriter {
  readonly tenure: Lease;
  readonly #ports: SessionWriterPorts;
  #resting: MachineState;
  #version: number;
  #head: number;
  #turnOffset: number;
  /** Inbox entries that were taken up, and by no write yet. */
  #takenUp = 0;
  #hasMoreInput = false;

  constructor(
    { fence, claimedMs, resting, version, head, turnOffset }: ClaimedSession,
    ports: SessionWriterPorts,
  ) {
    const { clock, leaseMs } = ports.host;
    this.#ports = ports;
    this.tenure = new Lease(fence, claimedMs, { ...ports, clock, leaseMs });
    this.#resting = resting;
    this.#version = version;
    this.#head = head;
    this.#turnOffset = turnOffset;
  }

  get resting(): MachineState {
    return this.#resting;
  }

  get version(): number {
    return this.#version;
  }

  get head(): number {
    return this.#head;
  }

  /** The last answer told of input that was not taken up yet. */
  get hasMoreInput(): boolean {
    return this.#hasMoreInput;
  }

  async commit(stepped: Step, composed: BuiltFrames, inboxTaken: number): Promise<CommitOutcome | Lost> {
    const { next } = stepped;
    const { snapshot } = next;
    const { frames, transcript, messageIds } = composed;
    const turnOffset = composed.turnOffset ?? this.#turnOffset;
    const isWatched = this.#isWatched(next) || this.#isWatched(this.#resting);
    const end = snapshot.status === 'done';
    const commit: Commit = {
      writeId: this.tenure.nextWriteId(),
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
      ...keepTurn(next, turnOffset),
    };
    const { store } = this.#ports.host;
    const outcome = await this.tenure.write(() => store.commit(this.tenure.fence, commit));
    if (outcome.kind !== 'committed') return outcome;
    this.#resting = next;
    this.#version += 1;
    this.#head += frames.length;
    this.#turnOffset = turnOffset;
    this.#took(inboxTaken, end ? 0 : outcome.inboxLength);
    return outcome;
  }

  async append(frames: readonly StoredFrame[], inboxTaken: number): Promise<AppendOutcome | Lost> {
    const append: Append = {
      writeId: this.tenure.nextWriteId(),
      expectedHead: this.#head,
      frames,
      inboxTaken,
      notify: frames.length > 0 && this.#isWatched(this.#resting),
      ...keepTurn(this.#resting, this.#turnOffset),
    };
    const { store } = this.#ports.host;
    const outcome = await this.tenure.write(() => store.append(this.tenure.fence, append));
    if (outcome.kind !== 'committed') return outcome;
    this.#head += frames.length;
    this.#took(inboxTaken, outcome.inboxLength);
    return outcome;
  }

  async renew(): Promise<RenewOutcome | Lost> {
    const { store } = this.#ports.host;
    const outcome = await this.tenure.write(() => store.renew(this.tenure.fence));
    if (outcome.kind === 'renewed') this.#took(0, outcome.inboxLength);
    return outcome;
  }

  release(): Promise<ReleaseOutcome | Lost> {
    const { store } = this.#ports.host;
    const notify = this.#isWatched(this.#resting);
    return this.tenure.write(() => store.release(this.tenure.fence, notify));
  }

  /** Input that was not taken up before; none where the store does not answer. */
  async takeUpInput(): Promise<readonly InboxEntry[]> {
    const { host, failed } = this.#ports;
    const { sessionId } = this.tenure.fence;
    const entries = await host.store.readInbox(sessionId).catch((error: unknown) => {
      failed(error);
      return [];
    });
    const fresh = entries.slice(this.#takenUp);
    this.#takenUp += fresh.length;
    this.#hasMoreInput = false;
    return fresh.map((entry) => host.openInboxEntry(sessionId, entry));
  }

  #took(inboxTaken: number, inboxLength: number): void {
    this.#takenUp -= inboxTaken;
    this.#hasMoreInput = inboxLength > this.#takenUp;
  }

  /** Other instances have sockets of the session. */
  #isWatched({ snapshot }: MachineState): boolean {
    return snapshot.context.attached.some((instance) => instance !== this.#ports.host.instance);
  }

  /** When the session needs somebody next: a deadline, or, while a turn runs, the end of the owner's lease. */
  #dueAt({ timers, snapshot }: MachineState): number | null {
    const { clock, leaseMs } = this.#ports.host;
    const due = Object.values(timers);
    if (snapshot.context.turn !== null) due.push(clock.now() + leaseMs);
    return due.length === 0 ? null : Math.min(...due);
  }
}

/** O3 */
function keepTurn({ snapshot }: MachineState, turnOffset: number): Pick<Append, 'keepFrom'> {
  return snapshot.context.turn === null ? {} : { keepFrom: turnOffset };
}
