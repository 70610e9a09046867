/**
 * One client connection, from its first frame to its close, free of any socket library.
 *
 *  C1  Before hello was accepted nothing but hello is heard, and nothing reaches a session.
 *  C2  Frames are taken in the order in which they came; what arrives while hello is being answered waits.
 *  C3  The hello deadline is not moved by traffic.
 *  C4  A client's JSON never becomes an event: events are built here field by field.
 */
import { randomUUID } from 'node:crypto';
import type { OverlapPolicy, SessionEvent } from '../../machines/vocabulary.ts';
import type { Access, Audit, AuditAction, AuditOutcome } from '../audit/audit.ts';
import type { Clock } from '../clock.ts';
import { patientFromChat } from '../conversation/patient/patient.ts';
import { attachClient, detachClient, type SessionServices } from '../delivery/attach-client.ts';
import type { ClientConnection } from '../delivery/client-connection.ts';
import type { Subscription } from '../delivery/subscription.ts';
import { type ErrorCode, errorBody, errors } from '../errors.ts';
import { type Limits, senderKey } from '../limits/limits.ts';
import {
  BAD_FRAMES_IN_A_ROW,
  type ClientFrame,
  HELLO_DEADLINE_MS,
  type HelloFrame,
  type MessageFrame,
} from '../protocol/client-frames.ts';
import { decode } from '../protocol/codec.ts';
import type { TransientFrame } from '../protocol/server-frames.ts';
import { wordOf } from '../session/machine/outcome.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** The socket as this file needs it. Both are safe to call on a closed one. */
export interface Wire {
  /** Of the client, as far as it is known. */
  readonly address: string;
  /** False where the socket's buffer is full and the frame was dropped. */
  send(frames: readonly string[]): boolean;
  close(code: number, reason: string): void;
}

export interface ConnectionPorts {
  readonly services: SessionServices;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly audit: Audit | null;
  readonly defaultPolicy: OverlapPolicy;
  readonly draining: () => boolean;
  /** This process cannot keep up: nobody new, no new turns. */
  readonly overloaded: () => boolean;
  readonly limits: Limits;
  /** How long a client that is sent away should wait, spread so that not all come back at once. */
  readonly retryAfterMs: () => number;
}

interface Open {
  readonly kind: 'open';
  readonly sessionId: string;
  readonly subscription: Subscription;
}

type Phase =
  | { readonly kind: 'greeting'; readonly cancelDeadline: () => void }
  | { readonly kind: 'opening'; readonly waiting: ClientFrame[] }
  | Open
  | { readonly kind: 'closed' };

/** Frames kept while hello is being answered. A client that sends more before welcome is not one of ours. */
const WAITING_MAX = 64;

export class Connection {
  readonly #ports: ConnectionPorts;
  readonly #wire: Wire;
  readonly #outlet: ClientConnection;
  #phase: Phase;
  #badInARow = 0;
  /** Who is here and in which session, as of the last hello. */
  #visitor: Pick<Access, 'sessionId' | 'userId' | 'clientId'> = {
    sessionId: null,
    userId: null,
    clientId: null,
  };
  #hellos = 0;
  /** Where messages are limited: settles once every frame that came was let through or refused. */
  #admitted: Promise<void> = Promise.resolve();

  constructor(ports: ConnectionPorts, wire: Wire) {
    this.#ports = ports;
    this.#wire = wire;
    const cancelDeadline = ports.clock.after(HELLO_DEADLINE_MS, () => this.#refuseAndClose('hello_timeout'));
    this.#phase = { kind: 'greeting', cancelDeadline };
    this.#outlet = {
      id: randomUUID(),
      isOpen: () => this.#phase.kind !== 'closed',
      send: (frames) => wire.send(frames),
      refuse: (code, messageId) => {
        // The session's owner, elsewhere, took away what was noted as passed on to it.
        if (code === 'forbidden') this.#note('message', code);
        this.refuse(code, messageId);
      },
      end: (code) => (code === 'closed' ? this.#close(1000, 'closed') : this.#refuseAndClose(code)),
    };
  }

  get greeted(): boolean {
    return this.#phase.kind === 'open';
  }

  /** Bytes of one message; `bytes` is only valid during this call. */
  receive(bytes: ArrayBuffer): void {
    if (this.#phase.kind === 'closed') return;
    const decoded = decode(bytes);
    if (decoded.kind === 'frame') {
      this.#badInARow = 0;
      return this.#take(decoded.frame);
    }
    if (decoded.code === 'frame_too_large') return this.#refuseAndClose('frame_too_large');
    this.#badInARow += 1;
    this.refuse(decoded.code, decoded.messageId);
    if (this.#badInARow >= BAD_FRAMES_IN_A_ROW) this.#refuseAndClose('too_many_bad_frames');
  }

  /** A text frame that is not UTF-8, or a binary one. */
  receiveBinary(): void {
    this.receive(new ArrayBuffer(0));
  }

  refuse(code: ErrorCode, messageId?: string, retryAfterMs?: number): void {
    const { message, retryable } = errorBody(code);
    this.#ports.metrics.refused(code);
    this.#say({
      type: 'error',
      code,
      message,
      retryable,
      ...(messageId === undefined ? {} : { message_id: messageId }),
      ...(errors[code].close === 1012 || errors[code].close === 1013
        ? { retry_after_ms: retryAfterMs ?? this.#ports.retryAfterMs() }
        : {}),
    });
  }

  /** Sends the client away: it should come back, to this instance or another. */
  sendAway(code: ErrorCode): void {
    this.#refuseAndClose(code);
  }

  /** The socket is gone, or was just closed by us: nothing is heard of it any more. */
  closed(): void {
    const phase = this.#phase;
    if (phase.kind === 'closed') return;
    this.#phase = { kind: 'closed' };
    if (phase.kind === 'greeting') phase.cancelDeadline();
    if (phase.kind === 'open')
      detachClient(this.#ports.services, phase.subscription).catch((error: unknown) =>
        this.#ports.log.warn({ err: error }, 'departure was not recorded'),
      );
  }

  #take(frame: ClientFrame): void {
    const phase = this.#phase;
    if (frame.type === 'ping')
      return this.#say({ type: 'pong', ...(frame.nonce === undefined ? {} : { nonce: frame.nonce }) });
    switch (phase.kind) {
      case 'greeting':
        if (frame.type !== 'hello')
          return this.refuse('hello_required', frame.type === 'message' ? frame.id : undefined);
        if (this.#ports.draining()) return this.#refuseAndClose('draining');
        if (this.#ports.overloaded()) return this.#refuseAndClose('overloaded');
        phase.cancelDeadline();
        this.#phase = { kind: 'opening', waiting: [] };
        void this.#open(frame);
        return;
      case 'opening':
        if (phase.waiting.length >= WAITING_MAX) return this.#refuseAndClose('overloaded');
        phase.waiting.push(frame);
        return;
      case 'open':
        return this.#admit(phase, frame);
      case 'closed':
        return;
    }
  }

  async #open(hello: HelloFrame): Promise<void> {
    this.#visitor = {
      sessionId: hello.session_id?.toLowerCase() ?? null,
      userId: hello.user_id ?? null,
      clientId: hello.client_id ?? null,
    };
    const wanted = hello.session_id === undefined ? 'created' : 'resumed';
    const waitMs = await this.#waitBefore(hello);
    if (waitMs > 0) {
      this.#note(wanted, 'rate_limited');
      return this.#refuseAndClose('rate_limited', waitMs);
    }
    let isAdmitted = false;
    let isGuess = false;
    const greeting = await attachClient(this.#ports.services, hello, this.#outlet, (sessionId, created) => {
      isAdmitted = true;
      isGuess = created;
      this.#visitor = { ...this.#visitor, sessionId };
      this.#note(created ? 'created' : 'resumed', 'ok');
    }).catch((error: unknown) => {
      this.#ports.log.error({ err: error }, 'greeting failed');
      return { kind: 'refused', code: 'internal' } as const;
    });
    // That the user has too many says of an id that it is not there.
    if (greeting.kind === 'refused')
      isGuess ||= greeting.code === 'forbidden' || greeting.code === 'too_many_sessions';
    if (isGuess && hello.session_id !== undefined) this.#ports.limits.guesses?.spend(this.#wire.address);
    const phase = this.#phase;
    if (greeting.kind === 'refused') {
      if (!isAdmitted) this.#note(wanted, greeting.code);
      if (phase.kind !== 'opening') return;
      // Hello may be said again on this connection once the store is back.
      if (errors[greeting.code].close !== null) return this.#refuseAndClose(greeting.code);
      const cancelDeadline = this.#ports.clock.after(HELLO_DEADLINE_MS, () =>
        this.#refuseAndClose('hello_timeout'),
      );
      this.#phase = { kind: 'greeting', cancelDeadline };
      return this.refuse(greeting.code);
    }
    if (phase.kind !== 'opening') {
      await detachClient(this.#ports.services, greeting.subscription);
      return;
    }
    this.#phase = { kind: 'open', sessionId: greeting.sessionId, subscription: greeting.subscription };
    for (const frame of phase.waiting) this.#take(frame);
  }

  /** How long this hello has to wait, in ms. The first one was counted with its connection. */
  async #waitBefore({ session_id }: HelloFrame): Promise<number> {
    const { connections, guesses } = this.#ports.limits;
    const { address } = this.#wire;
    this.#hellos += 1;
    const waitMs = connections === null || this.#hellos === 1 ? 0 : await connections.take(address);
    return waitMs > 0 || guesses === null || session_id === undefined ? waitMs : guesses.wait(address);
  }

  #admit(phase: Open, frame: ClientFrame): void {
    const { messages } = this.#ports.limits;
    const { sessionId, subscription } = phase;
    const { userId } = subscription;
    if (messages === null) return this.#dispatch(sessionId, userId, frame);
    // What is not counted waits too: the limit answers a moment later, and no frame may overtake another (C2).
    this.#admitted = this.#admitted.then(async () => {
      const isCounted = frame.type === 'message' || frame.type === 'extend';
      const waitMs = isCounted ? await messages.take(senderKey(userId, sessionId)) : 0;
      if (this.#phase !== phase) return;
      if (waitMs === 0) return this.#dispatch(sessionId, userId, frame);
      if (frame.type === 'message') this.#note('message', 'rate_limited');
      this.refuse('rate_limited', frame.type === 'message' ? frame.id : undefined, waitMs);
    });
  }

  #dispatch(sessionId: string, userId: string | null, frame: ClientFrame): void {
    const at = this.#ports.clock.now();
    switch (frame.type) {
      case 'hello':
        return this.refuse('hello_repeated');
      case 'message':
        if (this.#ports.overloaded()) return this.refuse('overloaded', frame.id);
        return this.#send(sessionId, this.#messageEvent(frame, at, userId), frame.id);
      case 'cancel':
        return this.#send(sessionId, {
          type: 'cancel',
          at,
          ...(frame.turn_id === undefined ? {} : { turnId: frame.turn_id }),
        });
      case 'extend':
        return this.#send(sessionId, { type: 'extend', at });
      case 'close':
        return this.#send(sessionId, { type: 'close', at, reason: 'closed' });
      case 'ping':
        return;
    }
  }

  #messageEvent(frame: MessageFrame, at: number, author: string | null): SessionEvent {
    const { max_tokens, temperature, stop } = frame.options ?? {};
    return {
      type: 'message',
      at,
      messageId: frame.id,
      turnId: randomUUID(),
      content: frame.content ?? '',
      author,
      ...(frame.patient === undefined ? {} : { patient: patientFromChat(frame.patient) }),
      policy: frame.policy ?? this.#ports.defaultPolicy,
      options: {
        ...(max_tokens === undefined ? {} : { maxTokens: max_tokens }),
        ...(temperature === undefined ? {} : { temperature }),
        ...(stop === undefined ? {} : { stop }),
      },
    };
  }

  #send(sessionId: string, event: SessionEvent, messageId?: string): void {
    const { sessions, instance } = this.#ports.services;
    const action = event.type === 'message' ? 'message' : event.type === 'close' ? 'closed' : null;
    sessions
      .send(sessionId, event, { instance, connection: this.#outlet.id })
      .then((outcome) => {
        if (action !== null) this.#note(action, wordOf(outcome));
        if (outcome.kind === 'refused') this.refuse(outcome.code, messageId);
      })
      .catch((error: unknown) => {
        this.#ports.log.error({ err: error }, 'input failed');
        if (action !== null) this.#note(action, 'internal');
        this.refuse('internal', messageId);
      });
  }

  #note(action: AuditAction, outcome: AuditOutcome): void {
    this.#ports.audit?.note({
      action,
      outcome,
      ...this.#visitor,
      address: this.#wire.address,
      door: { kind: 'socket', connection: this.#outlet.id },
    });
  }

  #say(frame: TransientFrame): void {
    if (this.#phase.kind === 'closed') return;
    if (!this.#wire.send([JSON.stringify(frame)])) this.#close(errors.slow_consumer.close, 'slow_consumer');
  }

  #refuseAndClose(code: ErrorCode, retryAfterMs?: number): void {
    if (code !== 'slow_consumer' && code !== 'session_expired') this.refuse(code, undefined, retryAfterMs);
    this.#close(errors[code].close ?? 1011, code);
  }

  #close(code: number, reason: string): void {
    if (this.#phase.kind === 'closed') return;
    this.#ports.metrics.disconnected(code);
    this.#wire.close(code, reason);
    this.closed();
  }
}
