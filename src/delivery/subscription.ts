/**
 * Subscription is one client's place in a session's log.
 *
 *  SUB-1  Frames leave in the order of their offsets, each once: the cursor is the offset of the last frame sent.
 *  SUB-2  A frame that does not follow the cursor is never sent; the subscription reads the log from the cursor instead.
 *  SUB-3  A trimmed or shorter log gives `reset`, never a silent gap (G5).
 *  SUB-4  The frame at the cursor must be the one that the client saw. A store that lost acknowledged writes continues
 *         under a higher epoch, so a higher epoch at the cursor means that the client's frames are lost: `reset`. For a
 *         client that names no epoch, the check begins with the first frame that this instance reads.
 *  SUB-5  Nothing follows a refused send; the client resumes from what it has.
 *  SUB-6  When a session moves, the client gets the rest of the log before its socket closes: the log may
 *         differ from what this instance sent, and a client that names no epoch could not find out later.
 *  SUB-7  A frame that the store damaged leaves as it is, and the frames after it follow: one damaged frame must neither
 *         stall its readers nor end the instance.
 */
import type { TopState } from '../../machines/vocabulary.ts';
import type { ErrorCode } from '../errors.ts';
import type { Store, StoredFrame } from '../store/contract.ts';
import { UNREADABLE } from '../store/log.ts';
import type { ClientConnection } from './client-connection.ts';

export type ResetReason = 'trimmed' | 'rolled_back' | 'unknown_offset' | 'forked';

/** A client's new start: the `reset` frame, and the offset, epoch and state that the client then knows. */
export interface ResetPlace {
  readonly data: string;
  readonly head: number;
  readonly epoch: number;
  readonly createdAt: number;
  readonly state: TopState;
}

/** The session as it was when the client attached. */
export interface Arrival {
  readonly version: number;
  readonly epoch: number;
  /** Distinguishes sessions of the same id: an id may be used again after its session ended. */
  readonly createdAt: number;
}

/** The client, as its hello names it. */
export interface Reader {
  readonly clientId: string | null;
  readonly userId: string | null;
}

export interface SubscriptionPorts {
  readonly store: Store;
  /** Null if the session has ended. */
  readonly reset: (sessionId: string, reason: ResetReason) => Promise<ResetPlace | null>;
  /** Start of the session that is stored now; null if there is none. */
  readonly createdAt: (sessionId: string) => Promise<number | null>;
  readonly pause: (ms: number) => Promise<void>;
}

type Progress =
  /** Before `welcome`; `moved`: a frame was stored meanwhile. */
  | { readonly kind: 'waiting'; moved: boolean }
  /** Reading the log; `again`: a frame was stored meanwhile. */
  | { readonly kind: 'replaying'; again: boolean }
  | { readonly kind: 'live' }
  | { readonly kind: 'ended' };

/** The reader's invitation as of offset `since`; the log has what follows. */
interface Invitation {
  readonly since: number;
  readonly onRenewed: (expiresAt: number) => void;
}

const PAGE = 500;
const RETRY_MS = 250;

export class Subscription {
  readonly sessionId: string;
  readonly connection: ClientConnection;
  readonly clientId: string | null;
  readonly userId: string | null;
  /** Another reader has left the session on this instance since this one came. */
  hasOutlivedOther = false;
  readonly #ports: SubscriptionPorts;
  #progress: Progress = { kind: 'waiting', moved: false };
  #cursor = 0;
  /** Epoch of the frame at the cursor. Until that frame was read here: the highest that the client named, or null. */
  #epoch: number | null = null;
  #isEpochExact = false;
  #invitation: Invitation | null = null;
  #cancelExpiry: (() => void) | null = null;
  #arrival: Arrival | null = null;
  #turnRuns = false;
  #caughtUp = false;
  /** The connection ends for this reason once the client has the rest of the log (SUB-6). */
  #sentAwayFor: ErrorCode | null = null;

  constructor(sessionId: string, connection: ClientConnection, reader: Reader, ports: SubscriptionPorts) {
    this.sessionId = sessionId;
    this.connection = connection;
    this.clientId = reader.clientId;
    this.userId = reader.userId;
    this.#ports = ports;
  }

  get cursor(): number {
    return this.#cursor;
  }

  /** True while a turn runs, according to the frames that this client has. */
  get turnRuns(): boolean {
    return this.#turnRuns;
  }

  /**
   * Goes live after `cursor`. `upToDate`: the log ends there, and the client knows it. `epoch` is the highest that the
   * client saw, or null; `state` is the one that it knows.
   */
  begin(cursor: number, epoch: number | null, upToDate: boolean, state: TopState): void {
    if (this.#progress.kind !== 'waiting') return;
    const { moved } = this.#progress;
    this.#cursor = cursor;
    this.#epoch = epoch;
    this.#turnRuns = state === 'processing';
    this.#progress = { kind: 'live' };
    this.#caughtUp = upToDate;
    if (moved || !upToDate) this.pull();
  }

  /** The reader has an invitation, read at offset `since`; `onRenewed` gets its new end if the owner renews it. */
  setInvitation(since: number, onRenewed: (expiresAt: number) => void): void {
    this.#invitation = { since, onRenewed };
  }

  /** An HTTP request that waits for the end of one turn. */
  get isForOneTurn(): boolean {
    return this.connection.standsAlone === true && this.connection.onlyReads !== true;
  }

  get isInvited(): boolean {
    return this.#invitation !== null;
  }

  /** The session's version when the client attached. */
  get arrivedAt(): number {
    return this.#arrival?.version ?? Number.POSITIVE_INFINITY;
  }

  setArrival(arrival: Arrival): void {
    this.#arrival = arrival;
  }

  /** `cancel` stops the timer that ends the reader's invitation. */
  setExpiryTimer(cancel: () => void): void {
    this.#cancelExpiry?.();
    this.#cancelExpiry = cancel;
    if (this.#progress.kind === 'ended') this.drop();
  }

  /** Sends frames that were just stored, if they follow the cursor; else reads the log. */
  offer(frames: readonly StoredFrame[]): void {
    // A new owner may have continued from a log that lost frames of this client: read the log to find out.
    const isSameOwner = frames[0]?.epoch === this.#epoch;
    if (this.#progress.kind !== 'live' || !isSameOwner || !this.#sendNext(frames)) this.pull();
  }

  /** Reads the log: it may have frames that were not offered. */
  pull(): void {
    if (this.#progress.kind === 'waiting') this.#progress.moved = true;
    else if (this.#progress.kind === 'replaying') this.#progress.again = true;
    else if (this.#progress.kind === 'live') {
      this.#progress = { kind: 'replaying', again: false };
      void this.#replay();
    }
  }

  /** The session ended and its log is deleted; these frames were its last. The client may have some of them. */
  finish(frames: readonly StoredFrame[], code: 'closed' | 'session_expired'): void {
    // A client before `welcome` may be attaching to the next session of this id.
    if (this.#progress.kind === 'waiting') return this.pull();
    if (this.#progress.kind === 'ended') return;
    const last = frames.at(-1);
    // The end of an earlier session of this id may be announced after the next one began: read the log to find out.
    const arrivedIn = this.#arrival?.epoch;
    if (arrivedIn === undefined || (last !== undefined && last.epoch < arrivedIn)) return this.pull();
    const seen = frames.find(({ offset }) => offset === this.#cursor);
    if (seen === undefined || (seen.type !== UNREADABLE && !this.#isAnother(seen.epoch)))
      this.#sendNext(frames);
    this.end(code);
  }

  /** The client must attach again, once it has the rest of the log (SUB-6). */
  sendAway(code: ErrorCode): void {
    if (this.#progress.kind === 'waiting') return this.end(code);
    this.#sentAwayFor = code;
    this.pull();
  }

  end(code: Parameters<ClientConnection['end']>[0]): void {
    if (this.#progress.kind === 'ended') return;
    this.drop();
    this.connection.end(code);
  }

  /** The connection is closed already. */
  drop(): void {
    this.#progress = { kind: 'ended' };
    this.#cancelExpiry?.();
    this.#cancelExpiry = null;
  }

  /** Sends what follows the cursor; false if the frames leave a gap. */
  #sendNext(frames: readonly StoredFrame[]): boolean {
    const next: string[] = [];
    let last: StoredFrame | null = null;
    let isForbidden = false;
    for (const frame of frames) {
      const cursor = last?.offset ?? this.#cursor;
      if (frame.offset <= cursor) continue;
      if (frame.offset !== cursor + 1) return false;
      next.push(frame.data);
      last = frame;
      if (frame.type === 'state')
        this.#turnRuns = (JSON.parse(frame.data) as { readonly value: TopState }).value === 'processing';
      isForbidden = this.#endsInvitation(frame);
      if (isForbidden) break;
    }
    if (last === null) return true;
    this.#know(last);
    this.#emit(next, last.offset);
    if (isForbidden) this.end('forbidden');
    return true;
  }

  /** Every instance with a socket of the session reads its log: a withdrawn invitation reaches the reader through it. */
  #endsInvitation({ type, data, offset }: StoredFrame): boolean {
    if (type !== 'shared' && type !== 'unshared') return false;
    // Replayed frames concern earlier invitations.
    if (this.#invitation === null || offset <= this.#invitation.since) return false;
    const frame = JSON.parse(data) as { readonly user_id: string; readonly expires_at?: number };
    if (frame.user_id !== this.userId) return false;
    if (frame.expires_at === undefined) return true;
    this.#invitation.onRenewed(frame.expires_at);
    return false;
  }

  #emit(frames: readonly string[], cursor: number): void {
    this.#cursor = cursor;
    if (!this.connection.send(frames)) this.end('slow_consumer');
  }

  async #replay(): Promise<void> {
    while (this.#progress.kind === 'replaying') {
      this.#progress.again = false;
      try {
        await this.#replayPage();
      } catch {
        await this.#ports.pause(RETRY_MS);
      }
    }
  }

  async #replayPage(): Promise<void> {
    if (this.#sentAwayFor !== null) {
      const createdAt = await this.#ports.createdAt(this.sessionId);
      if (createdAt !== this.#arrival?.createdAt) return this.end(this.#sentAwayFor);
    }
    const page = await this.#ports.store.readLog(this.sessionId, Math.max(0, this.#cursor - 1), PAGE);
    if (this.#progress.kind !== 'replaying') return;
    if (page === null) {
      // The store deletes a log just before it hints the last frames, which tell the client the reason: they go first.
      await this.#ports.pause(RETRY_MS);
      return this.end('session_expired');
    }
    if (page.head < this.#cursor) return this.#rolledBack();
    if (page.first > this.#cursor + 1) return this.#startOver('trimmed');
    const [first] = page.frames;
    if (first?.offset === this.#cursor) {
      if (first.type !== UNREADABLE && this.#isAnother(first.epoch)) return this.#rolledBack();
      this.#know(first);
    } else if (first !== undefined && page.first > this.#cursor && this.#cursor > 0) {
      // The frame at the cursor was trimmed. If another owner wrote the next, the client may have seen a different one.
      if (this.#epoch !== null && first.epoch > this.#epoch) return this.#startOver('trimmed');
    }
    if (!this.#sendNext(page.frames)) return this.#startOver('trimmed');
    if (this.#cursor >= page.head && this.#progress.kind === 'replaying' && !this.#progress.again) {
      this.#progress = { kind: 'live' };
      this.#caughtUp = true;
      if (this.#sentAwayFor !== null) this.end(this.#sentAwayFor);
    }
  }

  /** A damaged frame has no epoch (SUB-7). */
  #know({ type, epoch }: StoredFrame): void {
    if (type === UNREADABLE) return;
    this.#epoch = epoch;
    this.#isEpochExact = true;
  }

  /** SUB-4: true if a frame of `epoch` at the cursor differs from the one that the client saw there. */
  #isAnother(epoch: number): boolean {
    if (this.#isEpochExact) return epoch !== this.#epoch;
    return this.#epoch !== null && epoch > this.#epoch;
  }

  /** The lost writes may include this instance's attachment: the client must attach again. */
  async #rolledBack(): Promise<void> {
    const wasCaughtUp = this.#caughtUp;
    await this.#startOver('rolled_back');
    if (wasCaughtUp) this.end('session_moved');
  }

  async #startOver(reason: ResetReason): Promise<void> {
    // The lost part of the log may have withdrawn the reader's invitation: attaching again checks it.
    if (this.#invitation !== null && this.#cursor >= this.#invitation.since) return this.end('session_moved');
    const reset = await this.#ports.reset(this.sessionId, reason);
    if (this.#progress.kind !== 'replaying') return;
    if (reset === null) return this.end('session_expired');
    // Another session has this id now: its text is not for readers of the previous one.
    if (reset.createdAt !== this.#arrival?.createdAt) return this.end('session_moved');
    this.#epoch = reset.epoch;
    this.#isEpochExact = false;
    this.#turnRuns = reset.state === 'processing';
    this.#emit([reset.data], reset.head);
  }
}
