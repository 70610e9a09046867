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
 * Read next: clerk.ts (one letter at a time), step.ts (what a transition is), compose.ts (what follows from it),
 * holding.ts (how it is stored), directory.ts (who lives where).
 */
import type { SessionContext, SessionEvent } from '../../../machines/vocabulary.ts';
import { withPatientPicture } from '../../conversation/patient/patient-text.ts';
import type { ErrorCode } from '../../errors.ts';
import type { StoredFrame, TranscriptEntry } from '../../store/contract.ts';
import { done, type Outcome, refused, untaken } from '../machine/outcome.ts';
import { type MachineState, type Step, type StepEvent, step } from '../machine/step.ts';
import { eventOf, type RunResult } from '../turn/generation.ts';
import { Transcript } from '../turn/transcript.ts';
import { TurnRunner, type TurnRunnerPorts } from '../turn/turn-runner.ts';
import type { TurnText } from '../turn/turn-text.ts';
import type { ActorHost, StopReason } from './actor-host.ts';
import { Archiver } from './archiver.ts';
import { EventLoop } from './event-loop.ts';
import { type BuiltFrames, buildFrames, deltaFrame } from './frames.ts';
import type { Command } from './mailbox.ts';
import { type ClaimedSession, SessionWriter } from './session-writer.ts';
import { DeadlineTimer, firstOf } from './timers.ts';

/** What the loader found or made: an actor starts from stored data only. */
export interface ActorStart extends ClaimedSession {
  readonly turnText: TurnText | null;
  /** Known to be empty for a session just made; null where it must be read first. */
  readonly transcript: readonly TranscriptEntry[] | null;
  readonly inboxLength: number;
}

/** An archive that is away delays the end of sessions; asking without pause would not bring it back. */
const ARCHIVE_RETRY_MS = 1_000;

export class SessionActor {
  readonly sessionId: string;
  readonly #host: ActorHost;
  readonly #holding: SessionWriter;
  readonly #clerk: EventLoop;
  readonly #transcript: Transcript;
  readonly #runner: TurnRunner;
  readonly #alarm: DeadlineTimer;
  readonly #archiving: Archiver | null;
  #lastActiveMs: number;

  constructor(host: ActorHost, start: ActorStart) {
    const { archive, store, clock, leaseMs } = host;
    this.#host = host;
    this.sessionId = start.fence.sessionId;
    this.#lastActiveMs = clock.monotonicMs();
    this.#holding = new SessionWriter(start, {
      host,
      stopped: () => this.stopped,
      failed: (error) => host.storeFailed(this, error),
    });
    this.#transcript = new Transcript(store, this.sessionId, start.transcript);
    const isLeaseSure = () => this.#holding.tenure.isSure;
    this.#archiving =
      archive === null ? null : new Archiver({ archive, store, clock, withinMs: leaseMs, isLeaseSure });
    const turns: TurnRunnerPorts = {
      sessionId: this.sessionId,
      transcript: this.#transcript,
      context: () => this.snapshot.context,
      isLeaseSure,
      confirmLease: () => this.#confirmLease(),
      wake: () => this.#clerk.wake(),
      onResult: (key, result) => this.#clerk.post({ kind: 'result', key, result }),
      onSummary: (through, content) => this.post({ type: 'summarised', at: clock.now(), through, content }),
    };
    this.#runner = new TurnRunner(host, turns, start.turnText);
    this.#clerk = new EventLoop({
      handle: (letter) => this.#handle(letter),
      meanwhile: () => (this.#runner.isFlushDue ? this.#flush() : null),
      idle: () => this.#runner.schedule(),
      crashed: (error) => {
        host.log.error({ sessionId: this.sessionId, err: error }, 'session actor crashed');
        this.stop('crashed');
      },
    });
    this.#alarm = new DeadlineTimer(clock, (id) => this.#clerk.post({ kind: 'timer', id }));
    this.#alarm.set(start.resting.timers);
    if (start.resting.jobs.generation !== undefined) this.post({ type: 'recover', at: clock.now() });
    if (start.inboxLength > 0) this.drainInbox();
  }

  get snapshot(): MachineState['snapshot'] {
    return this.#holding.resting.snapshot;
  }

  get version(): number {
    return this.#holding.version;
  }

  get head(): number {
    return this.#holding.head;
  }

  get epoch(): number {
    return this.#holding.tenure.fence.epoch;
  }

  get needsRenewal(): boolean {
    return this.#holding.tenure.isAging;
  }

  /** By the monotonic clock: when it last changed. Keeping a lease alive is not a change. */
  get lastActiveMs(): number {
    return this.#lastActiveMs;
  }

  /** Nothing under way: it could be released. */
  get quiet(): boolean {
    return this.#clerk.isIdle && this.snapshot.context.turn === null;
  }

  get stopped(): boolean {
    return this.#clerk.stopped;
  }

  send(event: SessionEvent): Promise<Outcome> {
    if (this.#clerk.isFull) return Promise.resolve(refused('overloaded'));
    return new Promise((settle) => this.#clerk.post({ kind: 'event', event, fromInbox: false, settle }));
  }

  post(event: SessionEvent): void {
    this.#clerk.post({ kind: 'event', event, fromInbox: false, settle: () => {} });
  }

  drainInbox(): void {
    this.#clerk.post({ kind: 'drain-inbox' });
  }

  renew(): void {
    this.#clerk.post({ kind: 'renew', settle: () => {} });
  }

  /**
   * Gives the session up if nothing is under way by the time its turn comes; false where it stays.
   * With `handOver` a running turn goes too: another instance continues it from what is stored.
   */
  release(handOver = false): Promise<boolean> {
    return new Promise((settle) => this.#clerk.post({ kind: 'release', handOver, settle }));
  }

  /** Ends the actor where it stands; stored state is all that remains. */
  stop(reason: StopReason): void {
    if (this.stopped) return;
    this.#clerk.stop();
    this.#runner.stop();
    this.#alarm.stop();
    this.#host.stopped(this, reason);
  }

  async #handle(letter: Command): Promise<void> {
    switch (letter.kind) {
      case 'event':
        await this.#passDeadlines(letter.event.at);
        if (this.stopped) return letter.settle(untaken);
        return this.#transition(
          withPatientPicture(letter.event, this.snapshot.context),
          letter.fromInbox,
          letter.settle,
        );
      case 'timer': {
        const { timers } = this.#holding.resting;
        const dueAt = timers[letter.id];
        const at = this.#host.clock.now();
        // The timer may have been moved or cancelled while its letter waited.
        if (dueAt === undefined || dueAt > at) return this.#alarm.set(timers);
        // At its own time: after an outage several deadlines have passed, and the first of them ends the session.
        return this.#transition({ type: letter.id as `xstate.after.${string}`, at: dueAt }, false, () => {});
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
      const first = firstOf(this.#holding.resting.timers);
      const isPassed = first !== null && first.dueAt < Math.min(arrivedAt, this.#host.clock.now());
      if (!isPassed || this.stopped) return;
      const { version } = this;
      // At its own time: what it leads to is then due in the past as well, and comes next.
      const { id, dueAt: at } = first;
      await this.#transition({ type: id as `xstate.after.${string}`, at }, false, () => {});
      // An ending that could not be archived is tried again by its timer, not here and now without end.
      if (this.version === version) return;
    }
  }

  async #transitionOnResult(key: string, result: RunResult): Promise<void> {
    // A cancelled turn's late result must not close the turn that came after it.
    if (this.#holding.resting.jobs.generation?.key !== key) return;
    await this.#transition(eventOf(result, this.#host.clock.now()), false, () => {});
    if (result.kind === 'completed' && !this.stopped) this.#runner.summarise(result.toSummarise);
  }

  async #transition(event: StepEvent, fromInbox: boolean, settle: (outcome: Outcome) => void): Promise<void> {
    let stepped: Step;
    try {
      stepped = step(this.#holding.resting, event, String(this.version + 1));
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
    settle(await this.#commit(stepped, fromInbox ? 1 : 0));
  }

  async #commit(stepped: Step, inboxTaken: number): Promise<Outcome> {
    const { text } = this.#runner;
    const piece = this.#runner.take();
    const composed = buildFrames(stepped.effects, this.head, this.epoch, this.version + 1, text, piece);
    const { status, context } = stepped.next.snapshot;
    const ends = status === 'done';
    if (ends && !(await this.#archive(context, composed))) {
      if (inboxTaken > 0) await this.#append([], inboxTaken);
      return refused('archive_unavailable');
    }
    const outcome = await this.#holding.commit(stepped, composed, inboxTaken);
    switch (outcome.kind) {
      case 'committed':
        if (text !== null && piece !== null) text.confirm(piece);
        this.#host.committed(this, composed.frames.length);
        // Stopped from outside meanwhile: the write stands, its effects are for whoever opens the session next.
        if (this.stopped) return done;
        this.#apply(composed, ends);
        if (this.#holding.hasMoreInput) this.drainInbox();
        return done;
      case 'duplicate':
        if (inboxTaken > 0) await this.#append([], inboxTaken);
        return refused('duplicate_message');
      default:
        return refused(this.#fail(outcome.kind));
    }
  }

  /** False where what was said could not be archived: the session then does not end yet, and its deadline is tried again. */
  async #archive(context: SessionContext, ending: BuiltFrames): Promise<boolean> {
    if (this.#archiving === null) return true;
    try {
      return await this.#archiving.conclude(`${this.version} ${context.endReason}`, context, async () => ({
        sessionId: this.sessionId,
        context,
        transcript: [...(await this.#transcript.read()), ...ending.transcript],
        frames: ending.frames,
        endedAt: this.#host.clock.now(),
      }));
    } catch (error) {
      this.#host.log.warn({ sessionId: this.sessionId, err: error }, 'session could not be archived');
      this.#host.clock.after(ARCHIVE_RETRY_MS, () => {
        if (!this.stopped) this.#alarm.set(this.#holding.resting.timers);
      });
      return false;
    }
  }

  /** The effects of an acknowledged commit (A2). */
  #apply({ frames, transcript }: BuiltFrames, ended: boolean): void {
    this.#lastActiveMs = this.#host.clock.monotonicMs();
    this.#transcript.keep(transcript);
    if (frames.length > 0) this.#host.deliver(this.sessionId, frames);
    if (ended) return this.stop('ended');
    this.#alarm.set(this.#holding.resting.timers);
    this.#runner.reconcile(this.#holding.resting);
  }

  async #flush(): Promise<void> {
    const { text } = this.#runner;
    const piece = this.#runner.take();
    if (text === null || piece === null) return;
    const frame = deltaFrame(this.head + 1, this.epoch, text.turnId, piece);
    if (!(await this.#append([frame], 0))) return;
    text.confirm(piece);
    this.#host.deliver(this.sessionId, [frame]);
  }

  async #append(frames: readonly StoredFrame[], inboxTaken: number): Promise<boolean> {
    const outcome = await this.#holding.append(frames, inboxTaken);
    if (outcome.kind !== 'committed') {
      this.#fail(outcome.kind);
      return false;
    }
    this.#host.appended(this, frames.length);
    if (this.#holding.hasMoreInput) this.drainInbox();
    return true;
  }

  #fail(kind: 'fenced' | 'conflict' | 'lost'): ErrorCode {
    this.stop(kind);
    return kind === 'lost' ? 'store_unavailable' : 'session_moved';
  }

  async #drain(): Promise<void> {
    const entries = await this.#holding.takeUpInput();
    this.#clerk.postFirst(entries.map((entry): Command => ({ kind: 'event', fromInbox: true, ...entry })));
  }

  async #renew(): Promise<void> {
    const outcome = await this.#holding.renew();
    if (outcome.kind !== 'renewed') this.#fail(outcome.kind);
    else if (this.#holding.hasMoreInput) this.drainInbox();
  }

  /** A5. Resolves once the lease is sure, or the actor has stopped. */
  async #confirmLease(): Promise<void> {
    while (!this.stopped && !this.#holding.tenure.isSure)
      await new Promise<void>((settle) => this.#clerk.post({ kind: 'renew', settle }));
  }

  async #release(handOver: boolean): Promise<boolean> {
    if (!handOver && (this.#clerk.hasMail || this.snapshot.context.turn !== null)) return false;
    if (handOver) {
      this.#runner.stopGeneration();
      await this.#flush();
      if (this.stopped) return true;
    }
    const outcome = await this.#holding.release();
    if (outcome.kind === 'pending' && !handOver) {
      this.drainInbox();
      return false;
    }
    // Handed over with input in its inbox, the session keeps its lock: the heir has it when the lease is over.
    this.stop(outcome.kind === 'pending' ? 'released' : outcome.kind);
    return true;
  }
}
