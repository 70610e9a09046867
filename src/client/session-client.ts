/**
 * A session as a program uses it: open it, say things, watch the conversation grow; connections come and go beneath.
 *
 *  C1  The conversation moves only by the frame that follows it, or by a reset: it has no gap and no repeat.
 *  C2  What was sent stays in the outbox until the server decided about it, and is said again after each welcome.
 *  C3  One link at a time; what an old one still says is not heard (K1).
 *  C4  Once the session is over nothing is dialled any more.
 */

import { type Clock, systemClock } from '../clock.ts';
import type { ClientFrame } from '../protocol/client-frames.ts';
import type { DurableFrame, ServerFrame, StateValue } from '../protocol/server-frames.ts';
import { assemble, type ClientConversation, emptyConversation, startOver } from './assembler.ts';
import { Backoff } from './backoff.ts';
import { closeActionOf, refusalOf, type SessionEnd } from './close-action.ts';
import { Connection, type ConnectionEnd } from './connection.ts';
import { isUndecided, Outbox } from './outbox.ts';
import type { ErrorFrame, Over, SendOptions, Session, SessionOptions, Welcome } from './session.ts';

type Phase =
  | { readonly kind: 'linked'; readonly link: Connection }
  | { readonly kind: 'waiting'; readonly cancel: () => void }
  | { readonly kind: 'over' };

export function openSession(options: SessionOptions): Session {
  return new SessionClient(options);
}

class SessionClient implements Session {
  readonly #options: SessionOptions;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #outbox = new Outbox();
  #phase: Phase;
  #id: string | null;
  #after: number | null;
  /** Of the frame at `#after`: a log that has another one there lost what we saw, and the server can say so. */
  #epoch: number | null = null;
  #welcome: Welcome | null = null;
  #conversation: ClientConversation;
  #dials = 0;
  /** Of `#dials`, how many there were at the last welcome. */
  #dialsAtWelcome = 0;
  #retryAfterMs: number | null = null;
  #ending: SessionEnd = 'none';
  /** Of the last connection that ended: the reason to give where no other succeeds in time. */
  #lastEnd = { code: 1006, reason: '' };
  #cancelGivingUp: (() => void) | null = null;

  constructor(options: SessionOptions) {
    if (options.urls.length === 0) throw new RangeError('a session needs at least one url');
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new Backoff(options.random);
    this.#id = options.sessionId ?? null;
    this.#after = options.after ?? null;
    this.#conversation = emptyConversation(options.after);
    // Not dialled before the caller has the session in hand: its events may want to use it.
    this.#phase = { kind: 'waiting', cancel: this.#clock.after(0, () => this.#dial()) };
    this.#giveUpLater();
  }

  get id(): string | null {
    return this.#id;
  }

  get state(): StateValue | null {
    return this.#conversation.state;
  }

  get conversation(): ClientConversation {
    return this.#conversation;
  }

  get unacknowledged(): readonly string[] {
    return this.#outbox.ids;
  }

  get connected(): boolean {
    return this.#phase.kind === 'linked' && this.#phase.link.isOpen;
  }

  send(content: string, { id = crypto.randomUUID(), policy, options }: SendOptions = {}): string {
    const data = this.#outbox.put({
      type: 'message',
      id,
      content,
      ...(policy === undefined ? {} : { policy }),
      ...(options === undefined ? {} : { options }),
    });
    if (this.#phase.kind === 'linked') this.#phase.link.sendText(data);
    return id;
  }

  cancel(turnId?: string): boolean {
    return this.#say({ type: 'cancel', ...(turnId === undefined ? {} : { turn_id: turnId }) });
  }

  extend(): boolean {
    return this.#say({ type: 'extend' });
  }

  close(): void {
    if (this.#ending === 'none') this.#ending = 'asked';
    this.#say({ type: 'close' });
  }

  stop(): void {
    this.#finish('stopped', 1000, 'stopped');
  }

  #say(frame: ClientFrame): boolean {
    return this.#phase.kind === 'linked' && this.#phase.link.send(frame);
  }

  #dial(): void {
    const { connect } = this.#options;
    const url = this.#urlAt(this.#dials);
    this.#dials += 1;
    this.#options.onEvent({ type: 'dialling', url });
    // The caller may have stopped in that event.
    if (this.#phase.kind === 'over') return;
    let link: Connection;
    try {
      link = new Connection(
        {
          clock: this.#clock,
          hello: this.#hello(),
          onFrame: (frame) => this.#receive(link, frame),
          onEnd: (end) => this.#onEnd(end),
        },
        connect(url),
      );
    } catch (error) {
      // An address that is none: no amount of waiting mends it.
      return this.#finish('fatal', 1006, error instanceof Error ? error.message : 'cannot dial');
    }
    this.#phase = { kind: 'linked', link };
  }

  /** From now until the next welcome; the time that is left at a further failure stays. */
  #giveUpLater(): void {
    const { giveUpAfterMs } = this.#options;
    if (giveUpAfterMs === undefined) return;
    this.#cancelGivingUp ??= this.#clock.after(giveUpAfterMs, () =>
      this.#finish('unreachable', this.#lastEnd.code, this.#lastEnd.reason),
    );
  }

  #keepOn(): void {
    this.#cancelGivingUp?.();
    this.#cancelGivingUp = null;
  }

  #urlAt(dial: number): string {
    const { urls } = this.#options;
    return urls[dial % urls.length] ?? '';
  }

  #hello(): string {
    const { clientId, userId, diagnosisId, token } = this.#options;
    const hello: ClientFrame = {
      type: 'hello',
      ...(this.#id === null ? {} : { session_id: this.#id }),
      ...(this.#after === null ? {} : { after: this.#after }),
      ...(this.#epoch === null ? {} : { epoch: this.#epoch }),
      ...(clientId === undefined ? {} : { client_id: clientId }),
      ...(userId === undefined ? {} : { user_id: userId }),
      ...(diagnosisId === undefined ? {} : { diagnosis_id: diagnosisId }),
      ...(token === undefined ? {} : { token }),
    };
    return JSON.stringify(hello);
  }

  #receive(link: Connection, frame: ServerFrame): void {
    this.#outbox.settle(frame);
    switch (frame.type) {
      case 'welcome':
        return this.#onWelcome(link, frame);
      case 'reset':
        this.#take(startOver(frame), frame.epoch);
        return this.#options.onEvent({ type: 'reset', reason: frame.reason });
      case 'error':
        return this.#onError(link, frame);
      case 'pong':
        return;
      default:
        // A transient frame of a later version has no offset and nothing to say to this one.
        if (typeof frame.offset === 'number') this.#onDurable(link, frame);
    }
  }

  #onWelcome(link: Connection, welcome: Welcome): void {
    this.#keepOn();
    const known = this.#welcome;
    this.#welcome = welcome;
    this.#dialsAtWelcome = this.#dials;
    this.#id = welcome.session_id;
    const hadSeen = this.#conversation.offset > 0;
    // Another session under the same id: it ended while we were away, and somebody who came back first began it anew.
    const another = welcome.resumed && known !== null && known.created_at !== welcome.created_at;
    // Only here: the epoch of a mere resume says nothing about the frame that we saw last, and taking it for that
    // frame's would hide a loss if this connection broke before the server's reset.
    if (this.#after === null) this.#take(emptyConversation(welcome.offset), welcome.epoch);
    else if (!welcome.resumed || another) {
      this.#take(emptyConversation(), welcome.epoch);
      if (hadSeen) this.#options.onEvent({ type: 'reset', reason: 'fresh' });
      // The server went on after an offset of the old log: what comes before it in the new one is missing.
      if (another) return link.giveUp('another session');
    }
    // The caller may have stopped in that event.
    if (!link.isOpen) return;
    const { offset, state } = this.#conversation;
    // A replay says by itself how the state came to be what it is now.
    if (state === null || offset >= welcome.offset)
      this.#conversation = { ...this.#conversation, state: welcome.state };
    for (const message of this.#outbox.frames) link.sendText(message);
    if (this.#ending === 'asked') link.send({ type: 'close' });
    this.#options.onEvent({ type: 'welcomed', welcome });
  }

  #onDurable(link: Connection, frame: DurableFrame): void {
    const assembled = assemble(this.#conversation, frame);
    if (assembled.kind === 'repeated') return;
    if (assembled.kind === 'gap') {
      this.#options.onEvent({ type: 'gap', expected: assembled.expected, got: frame.offset });
      return link.giveUp('gap in the log');
    }
    this.#take(assembled.conversation, frame.epoch);
    if (frame.type === 'expired') this.#ending = 'seen';
    this.#options.onEvent({ type: 'frame', frame });
  }

  #onError(link: Connection, error: ErrorFrame): void {
    // A message that came too often is told when to speak again; that is no reason to come back late.
    if (!link.isOpen || error.code !== 'rate_limited') this.#retryAfterMs = error.retry_after_ms ?? null;
    this.#options.onEvent({ type: 'error', error });
    if (!link.isOpen) {
      // Hello was refused. A second one on the same connection would only be the same reconnect in disguise.
      if (error.retryable) return link.giveUp(error.code);
      return this.#finish('fatal', 1008, error.code);
    }
    // Welcome was followed by a failure to attach, or what was sent is in doubt: resume, and say it again.
    if (isUndecided(error.code) || error.code === 'hello_required') link.giveUp(error.code);
  }

  #take(conversation: ClientConversation, epoch: number | null): void {
    this.#conversation = conversation;
    this.#epoch = epoch;
    this.#after = conversation.offset;
  }

  #onEnd({ code, reason, uptimeMs, refusedWith }: ConnectionEnd): void {
    if (this.#phase.kind === 'over') return;
    const wasWelcomed = this.#welcome !== null;
    const verdict = closeActionOf({ code, reason, ending: this.#ending, refusedWith, wasWelcomed });
    if (verdict === 'refused' && refusedWith !== null)
      return this.#finish(verdict, code, refusalOf(this.#urlAt(this.#dials - 1), refusedWith));
    if (verdict !== 'reconnect') return this.#finish(verdict, code, reason);
    const retryInMs = this.#backoff.nextDelayMs({ uptimeMs, retryAfterMs: this.#retryAfterMs });
    this.#retryAfterMs = null;
    this.#lastEnd = { code, reason };
    this.#giveUpLater();
    this.#phase = { kind: 'waiting', cancel: this.#clock.after(retryInMs, () => this.#dial()) };
    this.#options.onEvent({
      type: 'lost',
      url: this.#urlAt(this.#dials - 1),
      code,
      reason,
      nextUrl: this.#urlAt(this.#dials),
      attempt: this.#dials - this.#dialsAtWelcome + 1,
      retryInMs,
    });
  }

  #finish(why: Over, code: number, reason: string): void {
    const phase = this.#phase;
    if (phase.kind === 'over') return;
    this.#phase = { kind: 'over' };
    this.#keepOn();
    if (phase.kind === 'waiting') phase.cancel();
    if (phase.kind === 'linked') phase.link.close(1000, reason);
    this.#options.onEvent({ type: 'over', why, code, reason });
  }
}
