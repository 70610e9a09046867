/** What a program sees of a session: how it is opened, what it can be told, what it tells. */

import type { Clock } from '../clock.ts';
import type { MessageFrame, Policy } from '../protocol/client-frames.ts';
import type { DurableFrame, StateValue, TransientFrame } from '../protocol/server-frames.ts';
import type { ClientConversation, ResetFrame } from './assembler.ts';
import type { CloseAction } from './close-action.ts';
import type { Connect } from './socket.ts';

export type Welcome = Extract<TransientFrame, { type: 'welcome' }>;
export type ErrorFrame = Extract<TransientFrame, { type: 'error' }>;

export type ClientEvent =
  | { readonly type: 'dialling'; readonly url: string }
  | { readonly type: 'welcomed'; readonly welcome: Welcome }
  /** A durable frame that was new. The conversation has it already. */
  | { readonly type: 'frame'; readonly frame: DurableFrame }
  | { readonly type: 'error'; readonly error: ErrorFrame }
  /** What was known of the conversation is gone; `session.conversation` is what there is instead. */
  | { readonly type: 'reset'; readonly reason: ResetFrame['reason'] | 'fresh' }
  /** The server left frames out. They are asked for again. */
  | { readonly type: 'gap'; readonly expected: number; readonly got: number }
  | {
      readonly type: 'lost';
      readonly url: string;
      readonly code: number;
      readonly reason: string;
      /** The address that is dialled next, in `retryInMs`, and how many dials it is since the last welcome. */
      readonly nextUrl: string;
      readonly attempt: number;
      readonly retryInMs: number;
    }
  | { readonly type: 'over'; readonly why: Over; readonly code: number; readonly reason: string };

/** `unreachable`: there was no welcome for `giveUpAfterMs`. The reason is that of the last attempt. */
export type Over = Exclude<CloseAction, 'reconnect'> | 'stopped' | 'unreachable';

export interface SessionOptions {
  /** Each reconnect tries the next one. */
  readonly urls: readonly string[];
  readonly connect: Connect;
  readonly onEvent: (event: ClientEvent) => void;
  /** Absent: the server names a new one. */
  readonly sessionId?: string;
  /** For a session that exists: the offset seen so far, 0 for all that is kept. Absent: only what comes from now on. */
  readonly after?: number;
  readonly clientId?: string;
  readonly userId?: string;
  readonly diagnosisId?: string;
  readonly token?: string;
  /** The session is over after so long without a connection. Absent: the client dials for ever. */
  readonly giveUpAfterMs?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export interface SendOptions {
  readonly id?: string;
  readonly policy?: Policy;
  readonly options?: NonNullable<MessageFrame['options']>;
}

export interface Session {
  /** Null until the first welcome where the server names the session. */
  readonly id: string | null;
  readonly state: StateValue | null;
  readonly conversation: ClientConversation;
  /** Ids of the messages that the server has not decided about. */
  readonly unacknowledged: readonly string[];
  readonly connected: boolean;
  /** Says something now, or as soon as there is a connection. Throws where it is too long for one frame. */
  send(content: string, options?: SendOptions): string;
  /** False where there is no connection now: unlike a message, the wish is not kept. */
  cancel(turnId?: string): boolean;
  extend(): boolean;
  /** Ends the session for everybody. */
  close(): void;
  /** Leaves; the session stays and can be resumed. */
  stop(): void;
}
