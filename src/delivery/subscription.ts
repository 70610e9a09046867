/**
 * One client's place in a session's log.
 *
 *  L1  Frames go out in the order of their offsets, each once: the cursor is the offset of the last one sent.
 *  L2  A frame that does not follow the cursor is never sent; the log is read from the cursor instead.
 *  L3  What cannot be had is said: a trimmed or shorter log gives `reset`, never a silent gap (G5).
 *  L4  The frame at the cursor must be the one that the client saw. A store that lost acknowledged writes goes on under
 *      a higher epoch, so a higher epoch there than the client ever saw means that its frames are gone: `reset`.
 *      Of a client that does not say its epoch, that is known from the first frame on that was read here.
 *  L5  After the first refused send nothing more is sent; the client resumes from what it has.
 *  L6  Who is sent away because the session went elsewhere is first told what is in the log: it may hold another story
 *      than the one that this instance told, and a client that does not say its epoch could not be told later.
 */
import type { TopState } from '../../machines/vocabulary.ts';
import type { ErrorCode } from '../errors.ts';
import type { Store, StoredFrame } from '../store/contract.ts';
import type { ClientConnection } from './client-connection.ts';

export type ResetReason = 'trimmed' | 'rolled_back' | 'unknown_offset';

/** Where a client starts over: what it is told, the offset from which it goes on, and the state that it then knows. */
export interface ResetPlace {
  readonly data: string;
  readonly head: number;
  readonly epoch: number;
  readonly createdAt: number;
  readonly state: TopState;
}

/** The session as its reader found it. */
export interface Arrival {
  readonly version: number;
  readonly epoch: number;
  /** Which life of the session it is: an id may be used again after its end. */
  readonly createdAt: number;
}

/** Who reads, as far as they said. */
export interface Reader {
  readonly clientId: string | null;
  readonly userId: string | null;
}

export interface SubscriptionPorts {
  readonly store: Store;
  /** Null where the session is gone. */
  readonly reset: (sessionId: string, reason: ResetReason) => Promise<ResetPlace | null>;
  /** When the session that is stored now began; null where there is none. */
  readonly createdAt: (sessionId: string) => Promise<number | null>;
  readonly pause: (ms: number) => Promise<void>;
}

type Phase =
  /** Welcome was not said yet; `moved` where something was stored meanwhile. */
  | { readonly kind: 'waiting'; moved: boolean }
  /** Reading the log; `again` where something moved meanwhile. */
  | { readonly kind: 'replaying'; again: boolean }
  | { readonly kind: 'live' }
  | { readonly kind: 'ended' };

/** What is known of the reader's invitation at offset `since`; the log tells how it goes on. */
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
  readonly #ports: SubscriptionPorts;
  #phase: Phase = { kind: 'waiting', moved: false };
  #cursor = 0;
  /** Of the frame at the cursor, or, until that was read here, of none that is higher; null where nobody has said. */
  #epoch: number | null = null;
  #isEpochExact = false;
  #invitation: Invitation | null = null;
  #cancelExpiry: (() => void) | null = null;
  #arrival: Arrival | null = null;
  #turnRuns = false;
  #caughtUp = false;
  /** Why the connection ends as soon as the client knows what is in the log. */
  #sentAwayFor: ErrorCode | null = null;

  constructor(sessionId: string, outlet: ClientConnection, reader: Reader, ports: SubscriptionPorts) {
    this.sessionId = sessionId;
    this.connection = outlet;
    this.clientId = reader.clientId;
    this.userId = reader.userId;
    this.#ports = ports;
  }

  get cursor(): number {
    return this.#cursor;
  }

  /** A turn is under way, as far as this client was told: more will come. */
  get turnRuns(): boolean {
    return this.#turnRuns;
  }

  /**
   * Goes live after `cursor`. `upToDate` says that the log ends there and the client knows it; `epoch` is the highest
   * one that the client saw, or null. `state` is the one that it was told of.
   */
  begin(cursor: number, epoch: number | null, upToDate: boolean, state: TopState): void {
    if (this.#phase.kind !== 'waiting') return;
    const { moved } = this.#phase;
    this.#cursor = cursor;
    this.#epoch = epoch;
    this.#turnRuns = state === 'processing';
    this.#phase = { kind: 'live' };
    this.#caughtUp = upToDate;
    if (moved || !upToDate) this.pull();
  }

  /** The reader is here by invitation: it is known as it was at `since`, and `onRenewed` hears of a new end. */
  invited(since: number, onRenewed: (expiresAt: number) => void): void {
    this.#invitation = { since, onRenewed };
  }

  get isInvited(): boolean {
    return this.#invitation !== null;
  }

  /** Version of the session at this reader's arrival. */
  get arrivedAt(): number {
    return this.#arrival?.version ?? Number.POSITIVE_INFINITY;
  }

  arrive(arrival: Arrival): void {
    this.#arrival = arrival;
  }

  /** The reader's invitation runs out: `cancel` takes the timer back. */
  expires(cancel: () => void): void {
    this.#cancelExpiry?.();
    this.#cancelExpiry = cancel;
    if (this.#phase.kind === 'ended') this.drop();
  }

  /** Frames that were just stored. */
  offer(frames: readonly StoredFrame[]): void {
    // A new claim may stand on another log than the one that this client saw: only the log can tell.
    const first = frames[0];
    const known = first !== undefined && epochOf(first) === this.#epoch;
    if (this.#phase.kind !== 'live' || !known || !this.#sendNext(frames)) this.pull();
  }

  /** Something may be in the log that was not offered. */
  pull(): void {
    if (this.#phase.kind === 'waiting') this.#phase.moved = true;
    else if (this.#phase.kind === 'replaying') this.#phase.again = true;
    else if (this.#phase.kind === 'live') {
      this.#phase = { kind: 'replaying', again: false };
      void this.#replay();
    }
  }

  /** The session is over: its log is gone, these frames were its last. The client may have had some of them. */
  finish(frames: readonly StoredFrame[], code: 'closed' | 'session_expired'): void {
    // Who was not welcomed yet may be on the way into the next session of this id.
    if (this.#phase.kind === 'waiting') return this.pull();
    if (this.#phase.kind === 'ended') return;
    const last = frames.at(-1);
    // Word of the end of a former session of this id may come when the next one has begun: the log will tell.
    const arrivedIn = this.#arrival?.epoch;
    if (arrivedIn === undefined || (last !== undefined && !isOf(last, arrivedIn))) return this.pull();
    const seen = frames.find(({ offset }) => offset === this.#cursor);
    if (seen === undefined || (isOf(seen, 0) && !this.#isAnother(epochOf(seen)))) this.#sendNext(frames);
    this.end(code);
  }

  /** The client must come in anew, once it knows what is in the log. */
  sendAway(code: ErrorCode): void {
    if (this.#phase.kind === 'waiting') return this.end(code);
    this.#sentAwayFor = code;
    this.pull();
  }

  end(code: Parameters<ClientConnection['end']>[0]): void {
    if (this.#phase.kind === 'ended') return;
    this.drop();
    this.connection.end(code);
  }

  /** The connection is gone by itself. */
  drop(): void {
    this.#phase = { kind: 'ended' };
    this.#cancelExpiry?.();
    this.#cancelExpiry = null;
  }

  /** Sends what follows the cursor; false where the frames leave a gap. */
  #sendNext(frames: readonly StoredFrame[]): boolean {
    const next: string[] = [];
    let last: StoredFrame | null = null;
    let isShutOut = false;
    for (const frame of frames) {
      const cursor = last?.offset ?? this.#cursor;
      if (frame.offset <= cursor) continue;
      if (frame.offset !== cursor + 1) return false;
      next.push(frame.data);
      last = frame;
      if (frame.data.startsWith('{"type":"state"'))
        this.#turnRuns = frame.data.includes('"value":"processing"');
      isShutOut = this.#shutsOut(frame);
      if (isShutOut) break;
    }
    if (last === null) return true;
    this.#epoch = epochOf(last);
    this.#isEpochExact = true;
    this.#emit(next, last.offset);
    if (isShutOut) this.end('forbidden');
    return true;
  }

  /** Every instance with a socket of the session reads its log, so that is how it learns whom to turn away. */
  #shutsOut({ data, offset }: StoredFrame): boolean {
    // What is replayed of former invitations says nothing of this one.
    if (this.#invitation === null || offset <= this.#invitation.since) return false;
    if (!data.startsWith('{"type":"shared"') && !data.startsWith('{"type":"unshared"')) return false;
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
    while (this.#phase.kind === 'replaying') {
      this.#phase.again = false;
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
    if (this.#phase.kind !== 'replaying') return;
    if (page === null) {
      // The log may be gone just before its last frames come as a hint: they say why, so they have their turn first.
      await this.#ports.pause(RETRY_MS);
      return this.end('session_expired');
    }
    if (page.head < this.#cursor) return this.#rolledBack();
    if (page.first > this.#cursor + 1) return this.#startOver('trimmed');
    const [first] = page.frames;
    if (first?.offset === this.#cursor) {
      const epoch = epochOf(first);
      if (this.#isAnother(epoch)) return this.#rolledBack();
      this.#epoch = epoch;
      this.#isEpochExact = true;
    } else if (first !== undefined && page.first > this.#cursor && this.#cursor > 0) {
      // The frame at the cursor is not kept, and what follows it is of another claim: nobody can tell any more.
      if (this.#epoch !== null && epochOf(first) > this.#epoch) return this.#startOver('trimmed');
    }
    if (!this.#sendNext(page.frames)) return this.#startOver('trimmed');
    if (this.#cursor >= page.head && this.#phase.kind === 'replaying' && !this.#phase.again) {
      this.#phase = { kind: 'live' };
      this.#caughtUp = true;
      if (this.#sentAwayFor !== null) this.end(this.#sentAwayFor);
    }
  }

  /** L4: whether a frame of `epoch` at the cursor is another one than the client saw there. */
  #isAnother(epoch: number): boolean {
    if (this.#isEpochExact) return epoch !== this.#epoch;
    return this.#epoch !== null && epoch > this.#epoch;
  }

  /** What was lost may include that this instance has sockets of the session: the client must come in anew. */
  async #rolledBack(): Promise<void> {
    const wasCaughtUp = this.#caughtUp;
    await this.#startOver('rolled_back');
    if (wasCaughtUp) this.end('session_moved');
  }

  async #startOver(reason: ResetReason): Promise<void> {
    // Where a guest lost track of the log, it may have lost that they were shown out: a new greeting looks anew.
    if (this.#invitation !== null && this.#cursor >= this.#invitation.since) return this.end('session_moved');
    const reset = await this.#ports.reset(this.sessionId, reason);
    if (this.#phase.kind !== 'replaying') return;
    if (reset === null) return this.end('session_expired');
    // Another session under the same id: what is said in it is not for whoever listened to the one before.
    if (reset.createdAt !== this.#arrival?.createdAt) return this.end('session_moved');
    this.#epoch = reset.epoch;
    this.#isEpochExact = false;
    this.#turnRuns = reset.state === 'processing';
    this.#emit([reset.data], reset.head);
  }
}

/** False also for a frame that cannot be read: a hint is only a hint, and the log tells. */
function isOf(frame: StoredFrame, epoch: number): boolean {
  try {
    return epochOf(frame) >= epoch;
  } catch {
    return false;
  }
}

function epochOf(frame: StoredFrame): number {
  return (JSON.parse(frame.data) as { readonly epoch: number }).epoch;
}
