/**
 * SessionClient keeps one session over many connections: it dials, resumes and resends.
 *
 *  CLIENT-1  The conversation advances only by its next frame or by a reset: it has no gap and no repeat.
 *  CLIENT-2  A message stays in the outbox until the server decided about it; the client resends it after each welcome.
 *  CLIENT-3  The client has one connection at a time and ignores every frame of an old one (DIAL-1).
 *  CLIENT-4  Once the session is over, the client dials no more.
 *  CLIENT-5  A session that the server does not know, or does not show to this client, is not asked for again.
 */
import { assemble, type ClientConversation, emptyConversation, startOver } from './assembler.ts';
import { Backoff } from './backoff.ts';
import { type ClientClock, clientClock } from './client-clock.ts';
import { closeActionOf, refusalOf, type SessionEnd } from './close-action.ts';
import { Connection, type ConnectionEnd } from './connection.ts';
import { Credential } from './credential.ts';
import { newId } from './new-id.ts';
import { isUndecided, type NamedFrame, Outbox } from './outbox.ts';
import type { ErrorFrame, OverReason, SendOptions, Session, SessionOptions, Welcome } from './session.ts';
import type { ClientFrame, DurableFrame, HelloFrame, ServerFrame, TopState } from './wire.ts';

type Connectivity =
  | { readonly kind: 'dialled'; readonly connection: Connection }
  | { readonly kind: 'waiting'; readonly cancel: () => void }
  | { readonly kind: 'over' };

export function openSession(options: SessionOptions): Session {
  return new SessionClient(options);
}

class SessionClient implements Session {
  readonly #options: SessionOptions;
  readonly #clock: ClientClock;
  readonly #backoff: Backoff;
  readonly #outbox = new Outbox();
  readonly #credential: Credential;
  #connectivity: Connectivity;
  #id: string | null;
  #after: number | null;
  /** Epoch of the frame at `#after`: it shows the server whether its log still has that frame. */
  #epoch: number | null;
  #welcome: Welcome | null = null;
  #conversation: ClientConversation;
  #dials = 0;
  #dialsAtWelcome = 0;
  #retryAfterMs: number | null = null;
  #sessionEnd: SessionEnd = 'none';
  /** How the last connection ended: the reason to report when the client gives up. */
  #lastEnd = { code: 1006, reason: '' };
  #cancelGivingUp: (() => void) | null = null;

  constructor(options: SessionOptions) {
    if (options.urls.length === 0) throw new RangeError('a session needs at least one url');
    this.#options = options;
    this.#clock = options.clock ?? clientClock;
    this.#backoff = new Backoff(options.random);
    this.#credential = new Credential(options.token, this.#clock);
    this.#id = options.sessionId ?? null;
    this.#after = options.after ?? null;
    this.#epoch = options.epoch ?? null;
    this.#conversation = emptyConversation(options.after);
    // The first dial waits until the caller has the session: its events may use it.
    this.#connectivity = this.#dialAfter(0);
    this.#giveUpLater();
  }

  get id(): string | null {
    return this.#id;
  }

  get epoch(): number | null {
    return this.#epoch;
  }

  get state(): TopState | null {
    return this.#conversation.state;
  }

  get conversation(): ClientConversation {
    return this.#conversation;
  }

  get unacknowledged(): readonly string[] {
    return this.#outbox.ids;
  }

  get connected(): boolean {
    return this.#connection?.isOpen === true;
  }

  get #connection(): Connection | null {
    return this.#connectivity.kind === 'dialled' ? this.#connectivity.connection : null;
  }

  send(content: string, { id = newId(), ...options }: SendOptions = {}): string {
    this.request({ type: 'message', id, content, ...options });
    return id;
  }

  request(frame: NamedFrame): void {
    const data = this.#outbox.put(frame);
    this.#connection?.sendText(data);
  }

  cancel(turnId?: string): boolean {
    return this.#sendNow({ type: 'cancel', ...(turnId === undefined ? {} : { turn_id: turnId }) });
  }

  withdraw(messageId: string): boolean {
    return this.#sendNow({ type: 'cancel', message_id: messageId });
  }

  extend(): boolean {
    return this.#sendNow({ type: 'extend' });
  }

  close(): void {
    if (this.#sessionEnd === 'none') this.#sessionEnd = 'requested';
    this.#sendNow({ type: 'close' });
  }

  stop(): void {
    this.#finish('stopped', 1000, 'stopped');
  }

  #sendNow(frame: ClientFrame): boolean {
    return this.#connection?.send(frame) === true;
  }

  #dialAfter(delayMs: number): Connectivity {
    return { kind: 'waiting', cancel: this.#clock.after(delayMs, () => this.#dial()) };
  }

  #dial(): void {
    const url = this.#urlAt(this.#dials);
    this.#dials += 1;
    this.#options.onEvent({ type: 'dialling', url });
    // The caller may have stopped in that event.
    if (this.#connectivity.kind === 'over') return;
    this.#connectivity = { kind: 'waiting', cancel: () => this.#credential.rest() };
    this.#credential.take(
      (token) => this.#connect(url, token),
      (reason) => this.#onEnd({ code: 1006, reason, uptimeMs: null, refusedWith: null }),
    );
  }

  #connect(url: string, token: string | undefined): void {
    try {
      const connection: Connection = new Connection(
        {
          clock: this.#clock,
          hello: this.#hello(token),
          onFrame: (frame) => this.#receive(connection, frame),
          onEnd: (end) => this.#onEnd(end),
        },
        this.#options.connect(url),
      );
      this.#connectivity = { kind: 'dialled', connection };
    } catch (error) {
      // The address is invalid, and no wait corrects it.
      this.#finish('fatal', 1006, error instanceof Error ? error.message : 'cannot dial');
    }
  }

  /** The time runs until the next welcome; a further failure does not restart it. */
  #giveUpLater(): void {
    const { giveUpAfterMs } = this.#options;
    if (giveUpAfterMs === undefined) return;
    this.#cancelGivingUp ??= this.#clock.after(giveUpAfterMs, () =>
      this.#finish('unreachable', this.#lastEnd.code, this.#lastEnd.reason),
    );
  }

  #keepTrying(): void {
    this.#cancelGivingUp?.();
    this.#cancelGivingUp = null;
  }

  #urlAt(dial: number): string {
    const { urls } = this.#options;
    return urls[dial % urls.length] ?? '';
  }

  #hello(token?: string): string {
    const { clientId, userId, diagnosisId } = this.#options;
    // JSON leaves out undefined fields.
    return JSON.stringify({
      type: 'hello',
      session_id: this.#id ?? undefined,
      after: this.#after ?? undefined,
      epoch: this.#epoch ?? undefined,
      client_id: clientId,
      user_id: userId,
      diagnosis_id: diagnosisId,
      token,
    } satisfies { [K in keyof HelloFrame]: HelloFrame[K] | undefined });
  }

  #receive(connection: Connection, frame: ServerFrame): void {
    this.#outbox.settle(frame);
    switch (frame.type) {
      case 'welcome':
        return this.#onWelcome(connection, frame);
      case 'reset':
        this.#take(startOver(frame), frame.epoch);
        return this.#options.onEvent({ type: 'reset', reason: frame.reason });
      case 'error':
        return this.#onError(connection, frame);
      case 'extended':
        return this.#options.onEvent({ type: 'extended', extended: frame });
      case 'authenticated':
        return this.#renewBefore(connection, frame.expires_at);
      case 'pong':
        return;
      default:
        // A transient frame of a later version has no offset; this version ignores it.
        if (typeof frame.offset === 'number') this.#onDurable(connection, frame);
    }
  }

  #renewBefore(connection: Connection, expiresAt: number | null): void {
    this.#credential.renewBefore(expiresAt, (token) => connection.send({ type: 'authenticate', token }));
  }

  #onWelcome(connection: Connection, welcome: Welcome): void {
    this.#keepTrying();
    this.#renewBefore(connection, welcome.identity_expires_at ?? null);
    const previous = this.#welcome;
    this.#welcome = welcome;
    this.#dialsAtWelcome = this.#dials;
    this.#id = welcome.session_id;
    const hadSeen = this.#conversation.offset > 0;
    // The session ended while this client was away, and another client began a new one under its id.
    const isOther = welcome.resumed && previous !== null && previous.created_at !== welcome.created_at;
    // On a resume the welcome's epoch is not that of the frame seen last. Taking it would hide lost writes if this
    // connection broke before the server's reset.
    if (this.#after === null) this.#take(emptyConversation(welcome.offset), welcome.epoch);
    else if (!welcome.resumed || isOther) {
      this.#take(emptyConversation(), welcome.epoch);
      if (hadSeen) this.#options.onEvent({ type: 'reset', reason: 'fresh' });
      // The server resumed after an offset of the old log, so the beginning of the new log is missing.
      if (isOther) return connection.giveUp('another session');
    }
    // The caller may have stopped in that event.
    if (!connection.isOpen) return;
    const { offset, state } = this.#conversation;
    // The frames of a replay lead to the current state.
    if (state === null || offset >= welcome.offset)
      this.#conversation = { ...this.#conversation, state: welcome.state };
    for (const message of this.#outbox.frames) connection.sendText(message); // CLIENT-2
    if (this.#sessionEnd === 'requested') connection.send({ type: 'close' });
    this.#options.onEvent({ type: 'welcomed', welcome });
  }

  #onDurable(connection: Connection, frame: DurableFrame): void {
    const assembled = assemble(this.#conversation, frame); // CLIENT-1
    if (assembled.kind === 'repeated') return;
    if (assembled.kind === 'gap') {
      this.#options.onEvent({ type: 'gap', expected: assembled.expected, got: frame.offset });
      return connection.giveUp('gap in the log');
    }
    this.#take(assembled.conversation, frame.epoch);
    if (frame.type === 'expired') this.#sessionEnd = 'expired';
    this.#options.onEvent({ type: 'frame', frame });
  }

  #onError(connection: Connection, error: ErrorFrame): void {
    // The wait of a rate-limited message does not apply to a reconnect.
    if (!connection.isOpen || error.code !== 'rate_limited')
      this.#retryAfterMs = error.retry_after_ms ?? null;
    this.#options.onEvent({ type: 'error', error });
    if (!connection.isOpen) {
      // The server refused hello. Its close follows, and its code says whether another token helps.
      if (error.code === 'unauthenticated' || error.code === 'identity_ended') return;
      if (error.code === 'session_not_found' && this.#id !== null) return this.#beginAnew(connection);
      if (error.retryable) return connection.giveUp(error.code);
      return this.#finish('fatal', 1008, error.code);
    }
    // The server failed to attach this client after its welcome, or the fate of a message is open: resume and resend.
    if (isUndecided(error.code) || error.code === 'hello_required') connection.giveUp(error.code);
  }

  /** CLIENT-5 */
  #beginAnew(connection: Connection): void {
    if (this.#sessionEnd === 'requested') return this.#finish('ended', 1000, 'closed');
    const hadSeen = this.#conversation.offset > 0;
    this.#id = null;
    this.#take(emptyConversation(), null);
    this.#after = null;
    if (hadSeen) this.#options.onEvent({ type: 'reset', reason: 'fresh' });
    // The client of this connection is proven.
    connection.greetAgain(this.#hello());
  }

  #take(conversation: ClientConversation, epoch: number | null): void {
    this.#conversation = conversation;
    this.#epoch = epoch;
    this.#after = conversation.offset;
  }

  #onEnd({ code, reason, uptimeMs, refusedWith }: ConnectionEnd): void {
    if (this.#connectivity.kind === 'over') return;
    const url = this.#urlAt(this.#dials - 1);
    this.#credential.rest();
    const wasWelcomed = this.#welcome !== null;
    const { isFixed: isTokenFixed } = this.#credential;
    const sessionEnd = this.#sessionEnd;
    const action = closeActionOf({ code, reason, sessionEnd, refusedWith, wasWelcomed, isTokenFixed });
    if (action === 'refused' && refusedWith !== null)
      return this.#finish(action, code, refusalOf(url, refusedWith));
    if (action !== 'reconnect') return this.#finish(action, code, reason);
    const retryInMs = this.#backoff.nextDelayMs({ uptimeMs, retryAfterMs: this.#retryAfterMs });
    this.#retryAfterMs = null;
    this.#lastEnd = { code, reason };
    this.#giveUpLater();
    this.#connectivity = this.#dialAfter(retryInMs);
    const attempt = this.#dials - this.#dialsAtWelcome + 1;
    const nextUrl = this.#urlAt(this.#dials);
    this.#options.onEvent({ type: 'lost', url, code, reason, nextUrl, attempt, retryInMs });
  }

  #finish(why: OverReason, code: number, reason: string): void {
    const connectivity = this.#connectivity;
    if (connectivity.kind === 'over') return;
    this.#connectivity = { kind: 'over' }; // CLIENT-4
    this.#keepTrying();
    this.#credential.rest();
    if (connectivity.kind === 'waiting') connectivity.cancel();
    if (connectivity.kind === 'dialled') connectivity.connection.close(1000, reason);
    this.#options.onEvent({ type: 'over', why, code, reason });
  }
}
