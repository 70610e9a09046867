/**
 * Connection is one client's WebSocket from its first frame to its close, free of any socket library.
 *
 *  CONN-1  Before a hello is accepted the client can send nothing else, and nothing reaches a session.
 *  CONN-2  Frames are taken in the order in which they came; frames that arrive while a hello is answered wait.
 *  CONN-3  Before a hello is accepted the client has one deadline, and few and small frames (HelloBudget).
 *  CONN-4  In strict mode of the audit log, a frame that changes something reaches a session after its line is written.
 */
import { randomUUID } from 'node:crypto';
import type { SessionEnds } from '../../../machines/effects.ts';
import type { OverlapPolicy } from '../../../machines/vocabulary.ts';
import type { Audit, AuditAction } from '../../audit/audit.ts';
import type { Clock } from '../../clock.ts';
import { attachClient, detachClient, type SessionServices } from '../../delivery/attach-client.ts';
import type { ClientConnection } from '../../delivery/client-connection.ts';
import type { Subscription } from '../../delivery/subscription.ts';
import { type ErrorCode, errorBody, errors } from '../../errors.ts';
import type { Participant } from '../../identity/acting-user.ts';
import type { Authenticator } from '../../identity/authenticator.ts';
import type { Caller } from '../../identity/caller.ts';
import { budgetWaitMs } from '../../limits/budgets.ts';
import type { Limits } from '../../limits/limits.ts';
import {
  BAD_FRAMES_IN_A_ROW,
  type ClientFrame,
  type HelloFrame,
  MAX_FRAME_BYTES,
  requestIdOf,
} from '../../protocol/client-frames.ts';
import { decode } from '../../protocol/codec.ts';
import type { TransientFrame } from '../../protocol/server-frames.ts';
import { type Outcome, wordOf } from '../../session/machine/outcome.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { Admission } from './admission.ts';
import { HelloBudget, type HelloQueue } from './hello-budget.ts';
import { ACTIONS, maySend, sendFrame } from './session-input.ts';
import { PROVEN, SocketCaller } from './socket-caller.ts';
import { SocketRecord } from './socket-record.ts';

/** The socket, as far as a connection needs it. Both calls are safe on a closed socket. */
export interface Wire {
  /** The client's address. */
  readonly address: string;
  /** The client, as the headers of its upgrade prove it. */
  readonly caller: Caller;
  /** False if the socket's buffer was full and dropped a frame. */
  send(frames: readonly string[]): boolean;
  /** `now`: without the closing handshake, which a stranger may leave unanswered to keep its memory. */
  close(code: number, reason: string, how?: 'now'): void;
}

export interface ConnectionPorts {
  readonly services: SessionServices;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly audit: Audit | null;
  readonly authenticator: Authenticator;
  readonly defaultPolicy: OverlapPolicy;
  readonly draining: () => boolean;
  /** True while this process cannot keep up: it refuses new clients and new turns. */
  readonly overloaded: () => boolean;
  readonly limits: Limits;
  readonly helloQueue: HelloQueue;
  /** Random wait for a client that is sent away, so that clients do not return together. */
  readonly retryAfterMs: () => number;
}

interface Attached {
  readonly kind: 'attached';
  readonly sessionId: string;
  readonly participant: Participant;
  readonly subscription: Subscription;
}

type ConnectionState =
  | { readonly kind: 'awaiting hello' }
  | { readonly kind: 'attaching'; readonly waiting: ClientFrame[]; waitingBytes: number }
  | Attached
  | { readonly kind: 'closed' };

/** Frames that may wait for the answer to a hello. A well-behaved client sends fewer before `welcome`. */
const WAITING_MAX = 64;
/** All of them together: they are of a stranger. */
const WAITING_MAX_BYTES = MAX_FRAME_BYTES;
const AWAITING: ConnectionState = { kind: 'awaiting hello' };

/** `session_not_found` and `forbidden` hide or name a foreign session; `too_many_sessions` reveals that there is none. */
const WRONG_GUESS: ReadonlySet<ErrorCode> = new Set(['session_not_found', 'forbidden', 'too_many_sessions']);

/** Node joins a UUID from parts, which V8 keeps until the id is read, in 420 bytes. A copy is one string of 56. */
function newId(): string {
  return Buffer.from(randomUUID(), 'latin1').toString('latin1');
}

export class Connection implements ClientConnection {
  readonly id = newId();
  readonly #ports: ConnectionPorts;
  readonly #wire: Wire;
  readonly #admission: Admission;
  /** Null once a hello was accepted. */
  #budget: HelloBudget | null;
  readonly #caller: SocketCaller;
  #state: ConnectionState;
  #badInARow = 0;
  /** Null: no audit log. */
  readonly #record: SocketRecord | null;

  constructor(ports: ConnectionPorts, wire: Wire) {
    this.#ports = ports;
    this.#wire = wire;
    this.#admission = new Admission(ports.limits, wire.address);
    this.#budget = new HelloBudget(ports.clock, ports.helloQueue, (code) => {
      if (code === 'overloaded') this.#refuseAndClose(code, undefined, 'now');
      else this.#refuseAndClose(code);
    });
    this.#caller = new SocketCaller(ports.authenticator, ports.limits, wire);
    const socket = { connection: this.id, address: wire.address };
    this.#record = ports.audit === null ? null : new SocketRecord(ports.audit, this.#caller, socket);
    this.#state = this.#awaitHello();
  }

  /** Handles one message; `bytes` is valid during this call only. */
  receive(bytes: ArrayBuffer): void {
    if (this.#state.kind === 'closed') return;
    const excess = this.#state.kind === 'awaiting hello' && this.#budget?.refusalOf(bytes.byteLength);
    if (excess) return this.#refuseAndClose(excess);
    const decoded = decode(bytes);
    if (decoded.kind === 'frame') {
      this.#badInARow = 0;
      return this.#take(decoded.frame, bytes.byteLength);
    }
    if (decoded.code === 'frame_too_large') return this.#refuseAndClose('frame_too_large');
    this.#badInARow += 1;
    this.#refuse(decoded.code, decoded.messageId, undefined, decoded.detail);
    if (this.#badInARow >= BAD_FRAMES_IN_A_ROW) this.#refuseAndClose('too_many_bad_frames');
  }

  /** Handles a binary message, or one that is not UTF-8. */
  receiveBinary(): void {
    this.receive(new ArrayBuffer(0));
  }

  // As the ClientConnection of its client. Closures in place of these methods would take 400 bytes per connection.

  isOpen(): boolean {
    return this.#state.kind !== 'closed';
  }

  send(frames: readonly string[]): boolean {
    return this.#wire.send(frames);
  }

  refuse(code: ErrorCode, messageId?: string): void {
    if (code === 'forbidden') this.#record?.forbiddenLater(messageId);
    this.#refuse(code, messageId);
  }

  extended({ expiresAt, absoluteExpiresAt }: SessionEnds): void {
    const ends = { expires_at: expiresAt, absolute_expires_at: absoluteExpiresAt };
    this.#sendFrame({ type: 'extended', ...ends });
  }

  end(code: ErrorCode | 'closed'): void {
    if (code === 'closed') this.#close(1000, 'closed');
    else this.#refuseAndClose(code);
  }

  /** Ends the connection of a client whose credential has expired or was withdrawn. */
  checkCredential(now: number): void {
    if (this.#state.kind === 'closed' || this.#caller.holds(now)) return;
    this.#record?.note('identity_ended', 'identity_ended');
    this.#refuseAndClose('identity_ended');
  }

  /** Closes the connection; the client may return, to this instance or another. */
  sendAway(code: ErrorCode): void {
    this.#refuseAndClose(code);
  }

  /** The socket is closed, by either side. */
  closed(): void {
    const state = this.#state;
    if (state.kind === 'closed') return;
    this.#state = { kind: 'closed' };
    this.#budget?.stop();
    if (state.kind === 'attached')
      detachClient(this.#ports.services, state.subscription).catch((error: unknown) =>
        this.#ports.log.warn({ err: error }, 'client could not be detached'),
      );
  }

  #take(frame: ClientFrame, bytes: number): void {
    const state = this.#state;
    if (frame.type === 'ping')
      return this.#sendFrame({ type: 'pong', ...(frame.nonce === undefined ? {} : { nonce: frame.nonce }) });
    switch (state.kind) {
      case 'awaiting hello':
        if (frame.type !== 'hello') return this.#refuse('hello_required', requestIdOf(frame));
        if (this.#ports.draining()) return this.#refuseAndClose('draining');
        if (this.#ports.overloaded()) return this.#refuseAndClose('overloaded');
        this.#budget?.pause();
        this.#state = { kind: 'attaching', waiting: [], waitingBytes: 0 };
        void this.#attach(frame);
        return;
      case 'attaching':
        state.waitingBytes += bytes;
        if (state.waiting.length >= WAITING_MAX || state.waitingBytes > WAITING_MAX_BYTES)
          return this.#refuseAndClose('overloaded');
        state.waiting.push(frame);
        return;
      case 'attached':
        return this.#admit(state, frame);
      case 'closed':
        return;
    }
  }

  async #attach(hello: HelloFrame): Promise<void> {
    const { services, log } = this.#ports;
    this.#record?.name({
      sessionId: hello.session_id?.toLowerCase() ?? null,
      userId: hello.user_id ?? null,
      clientId: hello.client_id ?? null,
    });
    const isNew = hello.session_id === undefined;
    const wanted = isNew ? 'created' : 'resumed';
    const wait = this.#admission.helloWaitMs(hello);
    const waitMs = wait === 0 ? 0 : await wait;
    if (waitMs > 0) {
      this.#record?.note(wanted, 'rate_limited');
      return this.#refuseAndClose('rate_limited', waitMs);
    }
    const proof = this.#caller.isOpen ? PROVEN : await this.#caller.show(hello.token);
    if (this.#state.kind !== 'attaching') return;
    if (proof.kind !== 'proven') {
      this.#record?.note('refused', proof.code, proof.why);
      return this.#refuseAndClose(proof.code, proof.waitMs);
    }
    const participant = this.#caller.participant(hello.user_id ?? null);
    if (participant === null) {
      this.#record?.note('refused', 'forbidden');
      return this.#refuseAndClose('forbidden');
    }
    this.#record?.name({ userId: participant.userId });
    if (this.#caller.caller.kind === 'identified') this.#record?.note('authenticated', 'ok');
    if (this.#record?.begin(wanted) === false) {
      if (this.#state.kind !== 'attaching') return;
      this.#state = this.#awaitHello();
      return this.#refuse('audit_unavailable');
    }
    let isAdmitted = false;
    let isGuess = false;
    const attached = await attachClient(
      services,
      { hello, participant, isNew, identityExpiresAt: this.#caller.expiresAt },
      this,
      (sessionId, created) => {
        isAdmitted = true;
        isGuess = created;
        this.#record?.name({ sessionId });
        this.#record?.note(created ? 'created' : 'resumed', 'ok');
      },
    ).catch((error: unknown) => {
      log.error({ err: error }, 'client could not be attached');
      return { kind: 'refused', code: 'internal' } as const;
    });
    if (attached.kind === 'refused') isGuess ||= WRONG_GUESS.has(attached.code);
    if (isGuess && hello.session_id !== undefined) this.#admission.countGuess();
    const state = this.#state;
    if (attached.kind === 'refused') {
      if (!isAdmitted) this.#record?.note(wanted, attached.code);
      if (state.kind !== 'attaching') return;
      if (errors[attached.code].close !== null) return this.#refuseAndClose(attached.code);
      // The client may send its hello again on this connection once the store is back.
      this.#state = this.#awaitHello();
      return this.#refuse(attached.code);
    }
    if (state.kind !== 'attaching') return detachClient(services, attached.subscription);
    this.#state = { ...attached, participant };
    this.#budget?.stop();
    this.#budget = null;
    for (const frame of state.waiting) this.#take(frame, 0);
  }

  #awaitHello(): ConnectionState {
    this.#budget?.await();
    return AWAITING;
  }

  #admit(state: Attached, frame: ClientFrame): void {
    const { sessionId, subscription } = state;
    this.#admission.admit(frame, sessionId, subscription, (waitMs) => {
      if (this.#state !== state) return;
      if (waitMs === 0) return this.#dispatch(state, frame);
      if (frame.type === 'message') this.#record?.note('message', 'rate_limited');
      this.#refuse('rate_limited', requestIdOf(frame), waitMs);
    });
  }

  #dispatch(attached: Attached, frame: ClientFrame): void {
    const requestId = requestIdOf(frame);
    if (!maySend(this.#caller.caller, frame)) return this.#refuse('forbidden', requestId);
    if (requestId !== undefined && this.#ports.overloaded()) return this.#refuse('overloaded', requestId);
    switch (frame.type) {
      case 'hello':
        return this.#refuse('hello_repeated');
      case 'ping':
        return;
      case 'authenticate':
        return void this.#renew(frame.token);
      default: {
        const { instance } = this.#ports.services;
        return this.#perform(ACTIONS[frame.type], requestId, () =>
          sendFrame(this.#ports, attached, frame, { instance, connection: this.id }),
        );
      }
    }
  }

  /** A refused token changes nothing: the former credential holds until its end. */
  async #renew(token: string): Promise<void> {
    const proof = await this.#caller.show(token);
    if (proof.kind === 'proven') this.#record?.note('authenticated', 'ok');
    else this.#record?.note('authenticated', proof.code, proof.why);
    if (proof.kind === 'proven')
      this.#sendFrame({ type: 'authenticated', expires_at: this.#caller.expiresAt });
    else this.#refuse(proof.code, undefined, proof.waitMs);
  }

  /** Writes the audit log and answers a refusal. */
  #perform(action: AuditAction, messageId: string | undefined, send: () => Promise<Outcome>): void {
    if (this.#record?.begin(action) === false) return this.#refuse('audit_unavailable', messageId);
    send()
      .then((outcome) => {
        this.#record?.note(action, wordOf(outcome));
        if (outcome.kind === 'passed') this.#record?.passed(action, messageId);
        if (outcome.kind === 'refused') this.#refuse(outcome.code, messageId);
        else if (outcome.kind === 'extended') this.extended(outcome.ends);
      })
      .catch((error: unknown) => {
        this.#ports.log.error({ err: error }, 'input failed');
        this.#record?.note(action, 'internal');
        this.#refuse('internal', messageId);
      });
  }

  #refuse(code: ErrorCode, messageId?: string, retryAfterMs?: number, detail?: string): void {
    const { message, retryable } = errorBody(code);
    const budgetMs = budgetWaitMs(code, this.#ports.clock.now());
    const isRetriedLater = errors[code].close === 1012 || errors[code].close === 1013 || budgetMs !== null;
    this.#ports.metrics.refused(code);
    this.#sendFrame({
      type: 'error',
      code,
      message,
      retryable,
      ...(messageId === undefined ? {} : { message_id: messageId }),
      ...(isRetriedLater ? { retry_after_ms: retryAfterMs ?? budgetMs ?? this.#ports.retryAfterMs() } : {}),
      ...(detail === undefined ? {} : { detail }),
    });
  }

  #sendFrame(frame: TransientFrame): void {
    if (this.#state.kind === 'closed') return;
    if (!this.#wire.send([JSON.stringify(frame)])) this.#close(errors.slow_consumer.close, 'slow_consumer');
  }

  #refuseAndClose(code: ErrorCode, retryAfterMs?: number, how?: 'now'): void {
    if (code !== 'slow_consumer' && code !== 'session_expired') this.#refuse(code, undefined, retryAfterMs);
    this.#close(errors[code].close ?? 1011, code, how);
  }

  #close(code: number, reason: string, how?: 'now'): void {
    if (this.#state.kind === 'closed') return;
    this.#ports.metrics.disconnected(code);
    this.#wire.close(code, reason, how);
    this.closed();
  }
}
