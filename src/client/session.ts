/** Session is what a program uses: its options, its methods and its events. */
import type { ClientConversation, ResetFrame } from './assembler.ts';
import type { ClientClock } from './client-clock.ts';
import type { CloseAction } from './close-action.ts';
import type { Connect } from './connection.ts';
import type { Token } from './credential.ts';
import type { NamedFrame } from './outbox.ts';
import type { DurableFrame, MessageFrame, OverlapPolicy, TopState, TransientFrame } from './wire.ts';

export type Welcome = Extract<TransientFrame, { type: 'welcome' }>;
export type ExtendedFrame = Extract<TransientFrame, { type: 'extended' }>;
export type ErrorFrame = Extract<TransientFrame, { type: 'error' }>;

export type ClientEvent =
  | { readonly type: 'dialling'; readonly url: string }
  | { readonly type: 'welcomed'; readonly welcome: Welcome }
  /** A durable frame that was new. The conversation already has it. */
  | { readonly type: 'frame'; readonly frame: DurableFrame }
  | { readonly type: 'error'; readonly error: ErrorFrame }
  /** The answer to `extend`: the new deadlines. */
  | { readonly type: 'extended'; readonly extended: ExtendedFrame }
  /** The client dropped its conversation; `session.conversation` is the new one. `fresh`: its session had ended. */
  | { readonly type: 'reset'; readonly reason: ResetFrame['reason'] | 'fresh' }
  /** The server left frames out. The client asks for them again. */
  | { readonly type: 'gap'; readonly expected: number; readonly got: number }
  | {
      readonly type: 'lost';
      readonly url: string;
      readonly code: number;
      readonly reason: string;
      /** The client dials this address next, in `retryInMs`. */
      readonly nextUrl: string;
      /** Dials since the last welcome, the next one included. */
      readonly attempt: number;
      readonly retryInMs: number;
    }
  | { readonly type: 'over'; readonly why: OverReason; readonly code: number; readonly reason: string };

/** `unreachable`: no welcome for `giveUpAfterMs`; the event's code and reason are those of the last attempt. */
export type OverReason = Exclude<CloseAction, 'reconnect'> | 'stopped' | 'unreachable';

export interface SessionOptions {
  /** Each reconnect tries the next one. */
  readonly urls: readonly string[];
  readonly connect: Connect;
  readonly onEvent: (event: ClientEvent) => void;
  /** Absent: the server names a new session. */
  readonly sessionId?: string;
  /** The offset seen so far in an existing session; 0 replays the whole log. Absent: only new frames. */
  readonly after?: number;
  /** Epoch of the frame at `after`: with it the server recognises a log that lost writes. */
  readonly epoch?: number;
  readonly clientId?: string;
  readonly userId?: string;
  readonly diagnosisId?: string;
  /** Travels in `hello` and `authenticate`, never in an address. */
  readonly token?: Token;
  /** The session is over after this time without a connection. Absent: the client never stops dialling. */
  readonly giveUpAfterMs?: number;
  readonly clock?: ClientClock;
  readonly random?: () => number;
}

export interface SendOptions {
  readonly id?: string;
  readonly policy?: OverlapPolicy;
  readonly options?: NonNullable<MessageFrame['options']>;
  /** Up to 16 notes, which come back in `turn.started`. */
  readonly tags?: NonNullable<MessageFrame['tags']>;
  /** Merged field by field into the session's patient data, as in the frame. */
  readonly patient?: NonNullable<MessageFrame['patient']>;
  /** Added to the system prompt of this turn. With `AUTH`, only a service's credential may send it. */
  readonly instructions?: string;
}

export interface Session {
  /** Null until the server names the session in its first welcome. */
  readonly id: string | null;
  /** Epoch of the last frame seen. */
  readonly epoch: number | null;
  readonly state: TopState | null;
  readonly conversation: ClientConversation;
  /** Ids of the messages that the server has not decided about. */
  readonly unacknowledged: readonly string[];
  readonly connected: boolean;
  /** Sends a message now, or with the next welcome. Throws if it is too long for one frame. */
  send(content: string, options?: SendOptions): string;
  /** Sends a frame like a message: now, or with the next welcome, until the server has decided about it. */
  request(frame: NamedFrame): void;
  /** False without a connection: unlike a message, the client does not send it later. */
  cancel(turnId?: string): boolean;
  /** Takes a waiting message out of the queue. False without a connection. */
  withdraw(messageId: string): boolean;
  /** Restarts the session's idle time; the event `extended` confirms it. False without a connection. */
  extend(): boolean;
  /** Ends the session for all its clients. */
  close(): void;
  /** Leaves the session, which continues and can be resumed. */
  stop(): void;
}
