/** What a program sees of a session: options, methods, events. */
import type { ClientConversation, TurnOutcome } from '../assembler.ts';
import type { SocketLike } from '../connection.ts';
import type { Token } from '../credential.ts';
import type { ClientEvent, SendOptions, Welcome } from '../session.ts';
import type { DurableFrame, TopState } from '../wire.ts';

export type SocketConstructor = new (url: string) => SocketLike;

/** Where a client stopped reading. Store it, and connect with it: `connect({ url, ...bookmark })`. */
export interface Bookmark {
  readonly sessionId: string;
  readonly after: number;
  /** Absent while the client has seen no frame. */
  readonly epoch?: number;
}

export interface ConnectOptions {
  /** Address of a server, or of several: each reconnect tries the next one. `http` and `ws` addresses both work. */
  readonly url: string | readonly string[];
  /** Absent: the server names a new session. */
  readonly sessionId?: string;
  /** The offset that this client has already. 0, the default, replays the conversation. `now` skips what was before. */
  readonly after?: number | 'now';
  /** Epoch of the frame at `after`, from the bookmark. */
  readonly epoch?: number;
  readonly userId?: string;
  /** Names this client: its next connection replaces its last one. Absent: a random name. */
  readonly clientId?: string;
  readonly diagnosisId?: string;
  /** A token, or a function that gives a valid one. The client calls it before each connection, and to renew. */
  readonly token?: Token;
  /** The session is over after this time without a connection. Absent: the client never stops dialling. */
  readonly giveUpAfterMs?: number;
  /** Absent: the one of the platform. Node 20 has none: pass that of the package `ws`. */
  readonly WebSocket?: SocketConstructor;
}

export type OverEvent = Extract<ClientEvent, { type: 'over' }>;

/** Each type of event and of durable frame. `*` hears all events. */
export type SessionEvents = { readonly [E in ClientEvent as E['type']]: E } & {
  readonly [F in DurableFrame as F['type']]: F;
} & { readonly '*': ClientEvent };

/** A piece of an answer. */
export interface Piece {
  readonly text: string;
  readonly reasoning: string;
  /** The answer starts over: drop the pieces before this one. */
  readonly startsOver: boolean;
}

export interface Answer {
  readonly messageId: string;
  readonly turnId: string;
  readonly text: string;
  readonly reasoning: string;
  /** The answer came from the simulator, and means nothing. */
  readonly simulated: boolean;
  /** `past`: the client knows the answer only from a transcript, which does not say how the turn ended. */
  readonly outcome: Exclude<TurnOutcome, { kind: 'running' }>;
}

/**
 * A message on its way. `await` waits until the server has stored it. Its iterator gives the answer piece by piece, from
 * the beginning.
 */
export interface SentMessage extends PromiseLike<Acknowledgement>, AsyncIterable<Piece> {
  readonly id: string;
  /** Null until the turn starts. */
  readonly turnId: string | null;
  /** The answer, once its turn has ended in any way. Rejects if the server refused the message. */
  readonly done: Promise<Answer>;
  /** The text of the answer. Rejects also if the turn failed; a cancelled turn gives the text until then. */
  readonly text: Promise<string>;
}

/** The server has stored the message, and will answer it. */
export interface Acknowledgement {
  readonly id: string;
}

export interface RegenerateOptions extends Omit<SendOptions, 'policy' | 'patient'> {
  /** The first turn to take back. */
  readonly turnId?: string;
  readonly content?: string;
}

/** The last turn to copy, or the first to leave out. Absent: all ended turns are copied. */
export interface ForkPlace {
  readonly after?: string;
  readonly before?: string;
}

export interface RehydraSession extends AsyncIterable<ClientEvent> {
  /** Null until the server names the session in its first welcome. */
  readonly id: string | null;
  readonly state: TopState | null;
  /** A new object after each change. */
  readonly conversation: ClientConversation;
  readonly connected: boolean;
  /** Ids of the messages that the server has not decided about. */
  readonly unacknowledged: readonly string[];
  /** Null until the first welcome. */
  readonly bookmark: Bookmark | null;
  /** The first welcome. Rejects if the session is over before. */
  readonly ready: Promise<Welcome>;
  /** Why the client dials no more. */
  readonly over: Promise<OverEvent>;
  /** Sends a message now, or after the next connect. Throws if it is too long. */
  send(content: string, options?: SendOptions): SentMessage;
  /**
   * Takes back a turn with all after it, by default the last one, and answers its question again, or `content` in its place.
   * The server refuses it while a turn runs.
   */
  regenerate(options?: RegenerateOptions): SentMessage;
  /** Copies the turns so far into a new session, whose id it resolves with. */
  fork(place?: ForkPlace): Promise<string>;
  /** Stops the running answer. False without a connection: unlike a message, the client does not send it later. */
  cancel(turnId?: string): boolean;
  /** Takes a waiting message out of the queue; its `done` resolves as cancelled. False without a connection. */
  withdraw(messageId: string): boolean;
  /** Restarts the session's idle time; the event `extended` confirms it. False without a connection. */
  extend(): boolean;
  /** Ends the session for all its clients. */
  close(): void;
  /** Disconnects. The session continues, and a running answer too. */
  leave(): void;
  /** Returns a function that removes the listener. */
  on<T extends keyof SessionEvents>(type: T, listener: (event: SessionEvents[T]) => void): () => void;
}

/** Why a message has no answer: an error code of the server, `session_over`, or `answer_lost`. */
export class RehydraError extends Error {
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string, retryable = false) {
    super(message);
    this.name = 'RehydraError';
    this.code = code;
    this.retryable = retryable;
  }
}

export function overError({ why, reason }: OverEvent): RehydraError {
  return new RehydraError('session_over', `the session is over: ${why} ${reason}`);
}
