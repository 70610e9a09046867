/**
 * The session actor: mailbox → step → commit → effects.
 *
 *  A1  One write of this session is in flight at most. The await of that write (and, before the last one, of the
 *      archive) is the only one between taking a letter and carrying out its effects, so events apply in the order in
 *      which they came (G3).
 *  A2  Frames, timers and generations follow from an acknowledged write, never from a step (G2).
 *  A3  The text of a running turn is appended by the same loop, so offsets have no gap (G5).
 *  A4  A write whose outcome is unknown is sent again under the same id (G4). When that does not end well, or the
 *      fence is lost, the actor stops for good; whoever needs the session loads it anew (G1, G9).
 *  A5  The model and the archive are asked only while the lease is sure: an owner that was frozen asks the store first.
 *
 * Read next: step.ts (what a transition is), compose.ts (what a commit holds), directory.ts (who lives where).
 */
import type { SessionContext, SessionEvent } from '../../machines/vocabulary.ts';
import { prepare } from '../conversation/prepare.ts';
import type { ErrorCode } from '../errors.ts';
import type {
  Append,
  AppendOutcome,
  CommitOutcome,
  Fence,
  StoredFrame,
  TranscriptEntry,
} from '../store/store.ts';
import type { ActorHost, StopReason } from './actor-host.ts';
import { Alarm } from './alarm.ts';
import { Archiving } from './archiving.ts';
import { type Composed, compose, deltaFrame } from './compose.ts';
import { toEnvelope } from './envelope.ts';
import type { RunResult } from './generation-run.ts';
import { type Letter, MAILBOX_MAX, Mailbox } from './mailbox.ts';
import { done, type Outcome, refused, untaken } from './outcome.ts';
import { indexOf } from './session-index.ts';
import { type Resting, type Step, type StepEvent, step } from './step.ts';
import { Tenure } from './tenure.ts';
import { Transcript } from './transcript.ts';
import { TurnRunner } from './turn-runner.ts';
import type { TurnText } from './turn-text.ts';

/** What the loader found or made: an actor starts from stored data only. */
export interface ActorStart {
  readonly fence: Fence;
  /** By the monotonic clock: when the claim was sent. */
  readonly claimedMs: number;
  readonly resting: Resting;
  readonly version: number;
  readonly head: number;
  readonly turnOffset: number;
  readonly turnText: TurnText | null;
  /** Known to be empty for a session just made; null where it must be read first. */
  readonly transcript: readonly TranscriptEntry[] | null;
  readonly inboxLength: number;
}

type Phase = { readonly kind: 'live' } | { readonly kind: 'stopped'; readonly reason: StopReason };

/** An archive that is away delays the end of sessions; asking without pause would not bring it back. */
const ARCHIVE_RETRY_MS = 1_000;

export class SessionActor {
  readonly sessionId: string;
  readonly #host: ActorHost;
  readonly #tenure: Tenure;
  readonly #mailbox = new Mailbox();
  #phase: Phase = { kind: 'live' };
  #resting: Resting;
  #version: number;
  #head: number;
  #turnOffset: number;
  #running = false;
  /** Inbox entries that are in the mailbox but not yet taken by a write. */
  #inboxPosted = 0;
  #lastActiveMs: number;
  readonly #transcript: Transcript;
  readonly #runner: TurnRunner;
  readonly #alarm: Alarm;
  readonly #archiving: Archiving | null;

  constructor(host: ActorHost, start: ActorStart) {
    this.#host = host;
    this.sessionId = start.fence.sessionId;
    this.#resting = start.resting;
    this.#version = start.version;
    this.#head = start.head;
    this.#turnOffset = start.turnOffset;
    this.#lastActiveMs = host.clock.monotonicMs();
    this.#tenure = new Tenure(start.fence, start.claimedMs, {
      clock: host.clock,
      leaseMs: host.leaseMs,
      stopped: () => this.stopped,
      failed: (error) => host.storeFailed(this, error),
    });
    this.#transcript = new Transcript(host.store, this.sessionId, start.transcript);
    const { archive, store, clock, leaseMs } = host;
    const isLeaseSure = () => this.#tenure.isSure;
    this.#archiving =
      archive === null ? null : new Archiving({ archive, store, clock, withinMs: leaseMs, isLeaseSure });
    const ports = {
      sessionId: this.sessionId,
      transcript: this.#transcript,
      context: () => this.#resting.snapshot.context,
      isLeaseSure,
      confirmLease: () => this.#confirmLease(),
      wake: () => this.#wake(),
      onResult: (key: string, result: RunResult) => this.#post({ kind: 'result', key, result }),
      onSummary: (through: string, content: string) =>
        this.post({ type: 'summarised', at: host.clock.now(), through, content }),
    };
    this.#runner = new TurnRunner(host, ports, start.turnText);
    this.#alarm = new Alarm(host.clock, (id) => this.#post({ kind: 'timer', id }));
    this.#alarm.set(start.resting.timers);
    if (start.resting.jobs.generation !== undefined) this.post({ type: 'recover', at: host.clock.now() });
    if (start.inboxLength > 0) this.drainInbox();
  }

  get snapshot(): Resting['snapshot'] {
    return this.#resting.snapshot;
  }

  get version(): number {
    return this.#version;
  }

  get head(): number {
    return this.#head;
  }

  get epoch(): number {
    return this.#tenure.fence.epoch;
  }

  get needsRenewal(): boolean {
    return this.#tenure.isAging;
  }

  /** By the monotonic clock: when it last changed. Keeping a lease alive is not a change. */
  get lastActiveMs(): number {
    return this.#lastActiveMs;
  }

  /** Nothing under way: it could be released. */
  get quiet(): boolean {
    return (
      this.#phase.kind === 'live' &&
      !this.#running &&
      this.#mailbox.length === 0 &&
      this.#resting.snapshot.context.turn === null
    );
  }

  get stopped(): boolean {
    return this.#phase.kind === 'stopped';
  }

  send(event: SessionEvent, fromInbox = false): Promise<Outcome> {
    if (this.#phase.kind === 'stopped') return Promise.resolve(untaken);
    if (!fromInbox && this.#mailbox.length >= MAILBOX_MAX) return Promise.resolve(refused('overloaded'));
    return new Promise((settle) => this.#post({ kind: 'event', event, fromInbox, settle }));
  }

  post(event: SessionEvent): void {
    this.#post({ kind: 'event', event, fromInbox: false, settle: () => {} });
  }

  drainInbox(): void {
    this.#post({ kind: 'drain-inbox' });
  }

  renew(): void {
    this.#post({ kind: 'renew', settle: () => {} });
  }

  /**
   * Gives the session up if nothing is under way by the time its turn comes; false where it stays.
   * With `handOver` a running turn goes too: another instance continues it from what is stored.
   */
  release(handOver = false): Promise<boolean> {
    if (this.#phase.kind === 'stopped') return Promise.resolve(true);
    return new Promise((settle) => this.#post({ kind: 'release', handOver, settle }));
  }

  /** Ends the actor where it stands; stored state is all that remains. */
  stop(reason: StopReason): void {
    if (this.#phase.kind === 'stopped') return;
    this.#phase = { kind: 'stopped', reason };
    this.#runner.stop();
    this.#alarm.stop();
    for (const letter of this.#mailbox.drain()) this.#giveBack(letter);
    this.#host.stopped(this, reason);
  }

  #giveBack(letter: Letter): void {
    if (letter.kind === 'event') letter.settle(untaken);
    else if (letter.kind === 'release') letter.settle(true);
    else if (letter.kind === 'renew') letter.settle();
  }

  #post(letter: Letter): void {
    if (this.#phase.kind === 'stopped') return this.#giveBack(letter);
    this.#mailbox.post(letter);
    this.#wake();
  }

  #wake(): void {
    if (!this.#running && this.#phase.kind === 'live') void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    let letter: Letter | undefined;
    try {
      while (this.#phase.kind === 'live') {
        letter = this.#mailbox.take();
        if (letter !== undefined) await this.#handle(letter);
        else if (this.#runner.isFlushDue) await this.#flush();
        else break;
      }
    } catch (error) {
      this.#host.log.error({ sessionId: this.sessionId, err: error }, 'session actor crashed');
      this.stop('crashed');
      // Whether it took effect nobody knows; left without an answer, its sender would wait for ever, and so would a drain.
      if (letter?.kind === 'event') letter.settle(refused('internal'));
      else if (letter?.kind === 'release') letter.settle(true);
    } finally {
      this.#running = false;
    }
    if (this.#phase.kind === 'live') this.#runner.schedule();
  }

  async #handle(letter: Letter): Promise<void> {
    switch (letter.kind) {
      case 'event':
        await this.#passDeadlines(letter.event.at);
        if (this.stopped) return letter.settle(untaken);
        return this.#transition(
          prepare(letter.event, this.#resting.snapshot.context),
          letter.fromInbox,
          letter.settle,
        );
      case 'timer': {
        const dueAt = this.#resting.timers[letter.id];
        const at = this.#host.clock.now();
        // The timer may have been moved or cancelled while its letter waited.
        if (dueAt === undefined || dueAt > at) return this.#alarm.set(this.#resting.timers);
        return this.#transition({ type: letter.id as `xstate.after.${string}`, at }, false, () => {});
      }
      case 'result':
        return this.#transitionOnResult(letter.key, letter.result);
      case 'drain-inbox':
        return this.#drain();
      case 'renew':
        await this.#renew();
        return letter.settle();
      case 'release':
        return letter.settle(await this.#release(letter.handOver));
    }
  }

  /** What was due before `arrivedAt` comes first: an event must not bring back a session that was over when it came. */
  async #passDeadlines(arrivedAt: number): Promise<void> {
    for (;;) {
      const before = Math.min(arrivedAt, this.#host.clock.now());
      const passed = Object.entries(this.#resting.timers).filter(([, dueAt]) => dueAt < before);
      const first = passed.toSorted(([, one], [, other]) => one - other)[0];
      if (first === undefined || this.stopped) return;
      const version = this.#version;
      // At its own time: what it leads to is then due in the past as well, and comes next.
      const [id, at] = first;
      await this.#transition({ type: id as `xstate.after.${string}`, at }, false, () => {});
      // An ending that could not be archived is tried again by its timer, not here and now without end.
      if (this.#version === version) return;
    }
  }

  async #transitionOnResult(key: string, result: RunResult): Promise<void> {
    // A cancelled turn's late result must not close the turn that came after it.
    if (this.#resting.jobs.generation?.key !== key) return;
    const at = this.#host.clock.now();
    const event: StepEvent =
      result.kind === 'completed'
        ? { type: 'xstate.done.actor.generation', at, output: result.output }
        : { type: 'xstate.error.actor.generation', at, error: result.error };
    await this.#transition(event, false, () => {});
    if (result.kind === 'completed' && !this.stopped) this.#runner.summarise(result.toSummarise);
  }

  async #transition(event: StepEvent, fromInbox: boolean, settle: (outcome: Outcome) => void): Promise<void> {
    const version = this.#version + 1;
    let stepped: Step;
    try {
      stepped = step(this.#resting, event, String(version));
    } catch (error) {
      // A step is pure, so nothing happened: the event is refused and the session is as it was.
      this.#host.log.error({ sessionId: this.sessionId, event: event.type, err: error }, 'step failed');
      if (fromInbox) await this.#append([], 1);
      return settle(refused('internal'));
    }
    const refusal = stepped.effects.find((effect) => effect.type === 'refused');
    if (!stepped.changed) {
      if (fromInbox) await this.#append([], 1);
      return settle(refusal === undefined ? done : refused(refusal.code));
    }
    settle(await this.#commit(stepped, version, fromInbox ? 1 : 0));
  }

  async #commit(stepped: Step, version: number, inboxTaken: number): Promise<Outcome> {
    const { text } = this.#runner;
    const piece = this.#runner.take();
    const composed = compose(stepped.effects, this.#head, this.epoch, version, text, piece);
    const { snapshot } = stepped.next;
    const turnOffset = composed.turnOffset ?? this.#turnOffset;
    const isWatched = this.#watched(stepped.next) || this.#watched(this.#resting);
    const commit = {
      writeId: this.#tenure.nextWriteId(),
      expectedVersion: this.#version,
      expectedHead: this.#head,
      snapshot: JSON.stringify(toEnvelope(stepped.next, turnOffset)),
      frames: composed.frames,
      transcript: composed.transcript,
      messageIds: composed.messageIds,
      inboxTaken,
      dueAt: this.#dueAt(stepped.next),
      index: indexOf(snapshot.value, snapshot.context),
      notify: snapshot.status === 'done' || isWatched,
      end: snapshot.status === 'done',
      recap: isWatched,
      ...keepTurn(stepped.next, turnOffset),
    };
    if (commit.end && !(await this.#archive(snapshot.context, composed))) {
      if (inboxTaken > 0) await this.#append([], inboxTaken);
      return refused('archive_unavailable');
    }
    const outcome = await this.#tenure.write<CommitOutcome>(() =>
      this.#host.store.commit(this.#tenure.fence, commit),
    );
    switch (outcome.kind) {
      case 'committed':
        if (text !== null && piece !== null) text.confirm(piece);
        this.#inboxPosted -= inboxTaken;
        this.#version = version;
        this.#turnOffset = turnOffset;
        this.#resting = stepped.next;
        this.#host.committed(this, composed.frames.length);
        // Stopped from outside meanwhile: the write stands, its effects are for whoever opens the session next.
        if (this.stopped) return done;
        this.#apply(composed, commit.end);
        if (outcome.inboxLength > this.#inboxPosted && !commit.end) this.drainInbox();
        return done;
      case 'duplicate':
        if (inboxTaken > 0) await this.#append([], inboxTaken);
        return refused('duplicate_message');
      default:
        return refused(this.#fail(outcome.kind));
    }
  }

  /** False where what was said could not be archived: the session then does not end yet, and its deadline is tried again. */
  async #archive(context: SessionContext, ending: Composed): Promise<boolean> {
    if (this.#archiving === null || context.turnCount === 0) return true;
    // What is to be erased must not be written afterwards by an attempt of before.
    if (context.erased) return !this.#archiving.isUnderWay;
    try {
      await this.#archiving.store(`${this.#version} ${context.endReason}`, {
        sessionId: this.sessionId,
        context,
        transcript: [...(await this.#transcript.read()), ...ending.transcript],
        frames: ending.frames,
        endedAt: this.#host.clock.now(),
      });
      return true;
    } catch (error) {
      this.#host.log.warn({ sessionId: this.sessionId, err: error }, 'session could not be archived');
      this.#host.clock.after(ARCHIVE_RETRY_MS, () => {
        if (!this.stopped) this.#alarm.set(this.#resting.timers);
      });
      return false;
    }
  }

  /** The effects of an acknowledged commit (A2). */
  #apply(composed: Composed, ended: boolean): void {
    this.#lastActiveMs = this.#host.clock.monotonicMs();
    this.#head += composed.frames.length;
    this.#transcript.keep(composed.transcript);
    if (composed.frames.length > 0) this.#host.deliver(this.sessionId, composed.frames);
    if (ended) return this.stop('ended');
    this.#alarm.set(this.#resting.timers);
    this.#runner.reconcile(this.#resting);
  }

  async #flush(): Promise<void> {
    const { text } = this.#runner;
    const piece = this.#runner.take();
    if (text === null || piece === null) return;
    const frame = deltaFrame(this.#head + 1, this.epoch, text.turnId, piece);
    if (!(await this.#append([frame], 0))) return;
    text.confirm(piece);
    this.#host.deliver(this.sessionId, [frame]);
  }

  async #append(frames: readonly StoredFrame[], inboxTaken: number): Promise<boolean> {
    const append = {
      writeId: this.#tenure.nextWriteId(),
      expectedHead: this.#head,
      frames,
      inboxTaken,
      notify: frames.length > 0 && this.#watched(this.#resting),
      ...keepTurn(this.#resting, this.#turnOffset),
    };
    const outcome = await this.#tenure.write<AppendOutcome>(() =>
      this.#host.store.append(this.#tenure.fence, append),
    );
    if (outcome.kind !== 'committed') {
      this.#fail(outcome.kind);
      return false;
    }
    this.#head += frames.length;
    this.#inboxPosted -= inboxTaken;
    this.#host.appended(this, frames.length);
    if (outcome.inboxLength > this.#inboxPosted) this.drainInbox();
    return true;
  }

  #fail(kind: 'fenced' | 'conflict' | 'lost'): ErrorCode {
    this.stop(kind);
    return kind === 'lost' ? 'store_unavailable' : 'session_moved';
  }

  async #drain(): Promise<void> {
    const entries = await this.#host.store.readInbox(this.sessionId).catch((error: unknown) => {
      this.#host.storeFailed(this, error);
      return [];
    });
    const letters = entries.slice(this.#inboxPosted).map((entry): Letter => {
      const { event, settle } = this.#host.openInboxEntry(this.sessionId, entry);
      return { kind: 'event', event, fromInbox: true, settle };
    });
    this.#inboxPosted += letters.length;
    this.#mailbox.postFirst(letters);
  }

  async #renew(): Promise<void> {
    const outcome = await this.#tenure.write(() => this.#host.store.renew(this.#tenure.fence));
    if (outcome.kind === 'renewed') {
      if (outcome.inboxLength > this.#inboxPosted) this.drainInbox();
    } else this.#fail(outcome.kind);
  }

  /** A5. Resolves once the lease is sure, or the actor has stopped. */
  async #confirmLease(): Promise<void> {
    while (!this.stopped && !this.#tenure.isSure)
      await new Promise<void>((settle) => this.#post({ kind: 'renew', settle }));
  }

  async #release(handOver: boolean): Promise<boolean> {
    if (!handOver && (this.#mailbox.length > 0 || this.#resting.snapshot.context.turn !== null)) return false;
    if (handOver) {
      this.#runner.stopGeneration();
      await this.#flush();
      if (this.stopped) return true;
    }
    const outcome = await this.#tenure.write(() =>
      this.#host.store.release(this.#tenure.fence, this.#watched(this.#resting)),
    );
    if (outcome.kind === 'pending' && !handOver) {
      this.drainInbox();
      return false;
    }
    // Handed over with input in its inbox, the session keeps its lock: the heir has it when the lease is over.
    this.stop(outcome.kind === 'pending' ? 'released' : outcome.kind);
    return true;
  }

  #watched(resting: Resting): boolean {
    return resting.snapshot.context.attached.some((instance) => instance !== this.#host.instance);
  }

  /** When the session needs somebody next: a deadline, or, while a turn runs, the end of the owner's lease. */
  #dueAt(resting: Resting): number | null {
    const due = Object.values(resting.timers);
    if (resting.snapshot.context.turn !== null) due.push(this.#host.clock.now() + this.#host.leaseMs);
    return due.length === 0 ? null : Math.min(...due);
  }
}

/** Who continues a turn, and who reads its answer later, needs its text from the beginning: it is not trimmed away. */
function keepTurn({ snapshot }: Resting, turnOffset: number): Pick<Append, 'keepFrom'> {
  return snapshot.context.turn === null ? {} : { keepFrom: turnOffset };
}
