/**
 * SessionActor owns one session on one instance: command → step → commit → effects.
 *
 *  ACTOR-1  At most one write of the session is in flight. A command awaits only that write, before the last one the
 *           archive, before a message its payer's budget, and before `regenerate` or a summary the transcript: so events apply
 *           in the order in which they came (G3).
 *  ACTOR-2  Frames, timers and generations follow from an acknowledged write, never from a step (G2).
 *  ACTOR-3  The same loop appends the text of a running turn, so offsets have no gap (G5).
 *  ACTOR-4  A lost fence or a write without an outcome stops the actor for good; the next command loads the session
 *           again from the store (G1, G4, G9).
 *  ACTOR-5  The actor calls the model and the archive only while its lease is valid: an owner that was frozen asks the
 *           store first.
 *
 * Read next: event-loop.ts (one command at a time), ../machine/step.ts (a transition), frames.ts (what it writes),
 * session-writer.ts (how it is stored).
 */
import type { SessionEvent } from '../../../machines/vocabulary.ts';
import { withPatientPicture } from '../../conversation/patient/patient-text.ts';
import type { ErrorCode } from '../../errors.ts';
import type { StoredFrame, TranscriptEntry } from '../../store/contract.ts';
import { answerOf, done, type Outcome, refused, untaken } from '../machine/outcome.ts';
import { type MachineState, type Step, type StepEvent, step } from '../machine/step.ts';
import { eventOf, type RunResult } from '../turn/generation.ts';
import { Transcript } from '../turn/transcript.ts';
import { TurnRunner } from '../turn/turn-runner.ts';
import type { TurnText } from '../turn/turn-text.ts';
import type { ActorHost, StopReason } from './actor-host.ts';
import { Archiver } from './archiver.ts';
import { type End, endedSession } from './ended-session.ts';
import { type Command, EventLoop } from './event-loop.ts';
import { type BuiltFrames, buildFrames, deltaFrame } from './frames.ts';
import { type TranscriptEvent, withTranscript } from './retraction.ts';
import { type AskingEvent, SessionBudget } from './session-budget.ts';
import { type ClaimedSession, SessionWriter } from './session-writer.ts';
import { type Deadline, DeadlineTimer, firstOf } from './timers.ts';

/** An actor starts from stored data alone. */
export interface ActorStart extends ClaimedSession {
  readonly turnText: TurnText | null;
  /** Null if the store must be read first. */
  readonly transcript: readonly TranscriptEntry[] | null;
  readonly inboxLength: number;
}

type EventCommand = Extract<Command, { readonly kind: 'event' }>;

/** An unreachable archive delays the end of sessions; retries without a pause would only add load. */
const ARCHIVE_RETRY_MS = 1_000;

export class SessionActor {
  readonly sessionId: string;
  readonly #host: ActorHost;
  readonly #writer: SessionWriter;
  readonly #loop: EventLoop;
  readonly #transcript: Transcript;
  readonly #runner: TurnRunner;
  readonly #timer: DeadlineTimer;
  readonly #archiver: Archiver | null;
  readonly #budget: SessionBudget | null;
  #lastActiveMs: number;

  constructor(host: ActorHost, start: ActorStart) {
    const { archive, store, clock, leaseMs } = host;
    this.#host = host;
    this.sessionId = start.fence.sessionId;
    this.#lastActiveMs = clock.monotonicMs();
    this.#writer = new SessionWriter(host, start, () => this.stopped);
    this.#transcript = new Transcript(store, this.sessionId, start.transcript);
    const isLeaseValid = () => this.#writer.isLeaseValid;
    this.#archiver =
      archive === null ? null : new Archiver({ archive, store, clock, withinMs: leaseMs, isLeaseValid });
    this.#runner = new TurnRunner(host, start.turnText, {
      sessionId: this.sessionId,
      transcript: this.#transcript,
      context: () => this.snapshot.context,
      isLeaseValid,
      confirmLease: () => this.#confirmLease(),
      wake: () => this.#loop.wake(),
      onResult: (key, result) => this.#loop.post({ kind: 'result', key, result }),
      onSummary: (through, content) => this.post({ type: 'summarised', at: clock.now(), through, content }),
    });
    this.#loop = new EventLoop({
      handle: (command) => this.#handle(command),
      idleWork: () => (this.#runner.isFlushDue ? this.#flush() : null),
      onRest: () => this.#runner.schedule(),
      onCrash: (error) => {
        host.log.error({ sessionId: this.sessionId, err: error }, 'session actor crashed');
        this.stop('crashed');
      },
    });
    this.#budget = host.budgets === null ? null : new SessionBudget(host.budgets, this.snapshot.context);
    this.#timer = new DeadlineTimer(clock, (id) => this.#loop.post({ kind: 'timer', id }));
    this.#timer.set(start.state.timers);
    if (start.state.jobs.generation !== undefined) this.post({ type: 'recover', at: clock.now() });
    if (start.inboxLength > 0) this.drainInbox();
  }

  get snapshot(): MachineState['snapshot'] {
    return this.#writer.state.snapshot;
  }

  get version(): number {
    return this.#writer.version;
  }

  get head(): number {
    return this.#writer.head;
  }

  get epoch(): number {
    return this.#writer.fence.epoch;
  }

  get needsRenewal(): boolean {
    return this.#writer.isLeaseAging;
  }

  /** Monotonic time of the last change. A renewed lease is no change. */
  get lastActiveMs(): number {
    return this.#lastActiveMs;
  }

  /** True while nothing is under way, so that the session could be released. */
  get quiet(): boolean {
    return this.#loop.isIdle && this.snapshot.context.turn === null;
  }

  get stopped(): boolean {
    return this.#loop.isStopped;
  }

  send(event: SessionEvent): Promise<Outcome> {
    if (this.#loop.isFull) return Promise.resolve(refused('overloaded'));
    return new Promise((settle) => this.#loop.post({ kind: 'event', event, fromInbox: false, settle }));
  }

  post(event: SessionEvent): void {
    this.#loop.post({ kind: 'event', event, fromInbox: false, settle: () => {} });
  }

  drainInbox(): void {
    this.#loop.post({ kind: 'drain-inbox' });
  }

  renew(): void {
    this.#loop.post({ kind: 'renew', settle: () => {} });
  }

  /**
   * Releases the session if nothing is under way when the command is taken; false if the session stays.
   * With `handOver` a running turn goes too: another instance continues it from what is stored.
   */
  release(handOver = false): Promise<boolean> {
    return new Promise((settle) => this.#loop.post({ kind: 'release', handOver, settle }));
  }

  /** Stops the actor for good. The stored state stays as it is. */
  stop(reason: StopReason): void {
    if (this.stopped) return;
    this.#loop.stop();
    this.#runner.stop();
    this.#timer.stop();
    this.#budget?.leave();
    this.#host.stopped(this.sessionId, this.epoch, reason);
  }

  /** Not an async function: that would cost each input another promise. */
  #handle(command: Command): Promise<void> {
    switch (command.kind) {
      case 'event':
        return this.#passedDeadline(command.event.at) === null
          ? this.#take(command)
          : this.#passDeadlines(command.event.at).then(() => this.#take(command));
      case 'timer':
        return this.#onTimer(command.id);
      case 'result':
        return this.#transitionOnResult(command.key, command.result);
      case 'drain-inbox':
        return this.#drain();
      case 'renew':
        return this.#renew().then(command.settle);
      case 'release':
        return this.#release(command.handOver).then(command.settle);
    }
  }

  #take(command: EventCommand): Promise<void> {
    const { event, fromInbox, settle } = command;
    if (this.stopped) {
      settle(untaken);
      return Promise.resolve();
    }
    if (event.type === 'regenerate' || event.type === 'summarised') return this.#takeRead(event, command);
    if (event.type === 'message' && this.#budget !== null)
      return this.#takeWithin(this.#budget, event, command);
    return this.#transition(withPatientPicture(event, this.snapshot.context), fromInbox, settle);
  }

  /** Takes an event that depends on the transcript. */
  async #takeRead(event: TranscriptEvent, command: EventCommand): Promise<void> {
    const entries = await this.#transcript.read().catch(() => null);
    if (this.stopped) return command.settle(untaken);
    if (entries === null) return this.#refuse('store_unavailable', command);
    const read = withTranscript(event, entries);
    if (read === null) return command.settle(done);
    if (read.type === 'regenerate' && this.#budget !== null)
      return this.#takeWithin(this.#budget, read, command);
    return this.#transition(read, command.fromInbox, command.settle);
  }

  /** Takes an event if its author may have one more answer. */
  async #takeWithin(budget: SessionBudget, event: AskingEvent, command: EventCommand): Promise<void> {
    const { fromInbox, settle } = command;
    const why = await budget.admit(event, this.snapshot.context);
    if (this.stopped) settle(untaken);
    else if (why === null)
      await this.#transition(withPatientPicture(event, this.snapshot.context), fromInbox, settle);
    else await this.#refuse(why, command);
    // Without an answer that runs the seat would stay taken: the machine may have refused the message.
    if (this.stopped || this.snapshot.context.turn === null) budget.leave();
  }

  async #refuse(code: ErrorCode, { fromInbox, settle }: EventCommand): Promise<void> {
    if (fromInbox) await this.#append([], 1);
    settle(refused(code));
  }

  async #onTimer(id: string): Promise<void> {
    const { timers } = this.#writer.state;
    const dueAt = timers[id];
    // An event may have moved or cancelled the timer while its command waited.
    if (dueAt === undefined || dueAt > this.#host.clock.now()) return this.#timer.set(timers);
    // At the time it was due: after an outage several deadlines have passed, and the first of them ends the session.
    await this.#transition({ type: id as `xstate.after.${string}`, at: dueAt }, false, () => {});
  }

  /** The first deadline that passed before `arrivedAt`, or null. */
  #passedDeadline(arrivedAt: number): Deadline | null {
    const first = firstOf(this.#writer.state.timers);
    return first !== null && first.dueAt < Math.min(arrivedAt, this.#host.clock.now()) ? first : null;
  }

  /** Applies deadlines before the event that came after them, or the event would revive an expired session. */
  async #passDeadlines(arrivedAt: number): Promise<void> {
    for (;;) {
      const first = this.#passedDeadline(arrivedAt);
      if (first === null || this.stopped) return;
      const { version } = this;
      // At the time it was due: a deadline that follows from this one may have passed as well, and comes next.
      const { id, dueAt: at } = first;
      await this.#transition({ type: id as `xstate.after.${string}`, at }, false, () => {});
      // The timer retries an end that could not be archived; retrying here would never stop.
      if (this.version === version) return;
    }
  }

  async #transitionOnResult(key: string, result: RunResult): Promise<void> {
    // A cancelled turn's late result must not close the turn that came after it.
    if (this.#writer.state.jobs.generation?.key !== key) return;
    await this.#transition(eventOf(result, this.#host.clock.now()), false, () => {});
    if (result.kind === 'completed' && !this.stopped) this.#runner.summarise(result.toSummarise);
  }

  async #transition(event: StepEvent, fromInbox: boolean, settle: (outcome: Outcome) => void): Promise<void> {
    let stepped: Step;
    try {
      stepped = step(this.#writer.state, event, String(this.version + 1));
    } catch (error) {
      // A step is pure: the refused event leaves the session unchanged.
      this.#host.log.error({ sessionId: this.sessionId, event: event.type, err: error }, 'step failed');
      if (fromInbox) await this.#append([], 1);
      return settle(refused('internal'));
    }
    if (stepped.changed)
      return settle(answerOf(await this.#commit(stepped, event, fromInbox ? 1 : 0), stepped));
    const refusal = stepped.effects.find((effect) => effect.type === 'refused');
    if (fromInbox) await this.#append([], 1);
    settle(refusal === undefined ? done : refused(refusal.code));
  }

  async #commit({ next, effects, taken }: Step, event: StepEvent, inboxTaken: number): Promise<Outcome> {
    const piece = this.#runner.takePiece();
    const place = { head: this.head, epoch: this.epoch, version: this.version + 1 };
    const built = buildFrames(effects, place, this.#runner.text, piece);
    const ends = next.snapshot.status === 'done';
    const record = this.#writer.record({ event, taken }, next);
    if (ends && !(await this.#archive({ next, built, record }))) {
      if (inboxTaken > 0) await this.#append([], inboxTaken);
      return refused('archive_unavailable');
    }
    const outcome = await this.#writer.commit(next, built, inboxTaken, record, event.at);
    switch (outcome.kind) {
      case 'committed':
        this.#runner.confirm(piece);
        this.#host.committed(built.frames.length);
        // The actor was stopped during the write: the write is stored, and its effects belong to the next owner.
        if (this.stopped) return done;
        this.#apply(built, ends);
        if (this.#writer.hasMoreInput) this.drainInbox();
        return done;
      case 'duplicate':
        if (inboxTaken > 0) await this.#append([], inboxTaken);
        return refused('duplicate_message');
      default:
        return refused(this.#fail(outcome.kind));
    }
  }

  /** Archives the conversation before its end is stored; false if the archive failed and the end must wait. */
  async #archive(end: End): Promise<boolean> {
    if (this.#archiver === null) return true;
    const { context } = end.next.snapshot;
    try {
      return await this.#archiver.conclude(`${this.version} ${context.endReason}`, context, () =>
        endedSession(this.#host, this.sessionId, this.#transcript, end),
      );
    } catch (error) {
      this.#host.log.warn({ sessionId: this.sessionId, err: error }, 'session could not be archived');
      this.#host.clock.after(ARCHIVE_RETRY_MS, () => {
        if (!this.stopped) this.#timer.set(this.#writer.state.timers);
      });
      return false;
    }
  }

  /** ACTOR-2 */
  #apply({ frames, transcript }: BuiltFrames, ended: boolean): void {
    this.#lastActiveMs = this.#host.clock.monotonicMs();
    this.#transcript.keep(transcript);
    if (frames.length > 0) this.#host.deliver(this.sessionId, frames);
    if (ended) return this.stop('ended');
    this.#budget?.follow(this.snapshot.context, transcript);
    this.#timer.set(this.#writer.state.timers);
    this.#runner.reconcile(this.#writer.state);
  }

  async #flush(): Promise<void> {
    const piece = this.#runner.takePiece();
    if (piece === null) return;
    const frame = deltaFrame(this.head + 1, this.epoch, piece);
    if (!(await this.#append([frame], 0))) return;
    this.#runner.confirm(piece);
    this.#host.deliver(this.sessionId, [frame]);
  }

  async #append(frames: readonly StoredFrame[], inboxTaken: number): Promise<boolean> {
    const outcome = await this.#writer.append(frames, inboxTaken);
    if (outcome.kind !== 'committed') {
      this.#fail(outcome.kind);
      return false;
    }
    this.#host.appended(frames.length);
    if (this.#writer.hasMoreInput) this.drainInbox();
    return true;
  }

  #fail(kind: 'fenced' | 'conflict' | 'lost'): ErrorCode {
    this.stop(kind);
    return kind === 'lost' ? 'store_unavailable' : 'session_moved';
  }

  async #drain(): Promise<void> {
    const entries = await this.#writer.takeInput();
    this.#loop.postFirst(entries.map((entry): Command => ({ kind: 'event', fromInbox: true, ...entry })));
  }

  async #renew(): Promise<void> {
    const outcome = await this.#writer.renew();
    if (outcome.kind !== 'renewed') this.#fail(outcome.kind);
    else if (this.#writer.hasMoreInput) this.drainInbox();
  }

  /** ACTOR-5. Resolves once the lease is valid, or the actor has stopped. */
  async #confirmLease(): Promise<void> {
    while (!this.stopped && !this.#writer.isLeaseValid)
      await new Promise<void>((settle) => this.#loop.post({ kind: 'renew', settle }));
  }

  async #release(handOver: boolean): Promise<boolean> {
    if (!handOver && (this.#loop.hasCommands || this.snapshot.context.turn !== null)) return false;
    if (handOver) {
      this.#runner.stopGeneration();
      await this.#flush();
      if (this.stopped) return true;
    }
    const outcome = await this.#writer.release();
    if (outcome.kind === 'pending' && !handOver) {
      this.drainInbox();
      return false;
    }
    // Handed over with input in its inbox, the session keeps its lock; the next owner gets it when the lease lapses.
    this.stop(outcome.kind === 'pending' ? 'released' : outcome.kind);
    return true;
  }
}
