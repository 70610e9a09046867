/** ClientConnection is one client's connection to a session, over a WebSocket or an HTTP request. */
import type { SessionEnds } from '../../machines/effects.ts';
import type { ErrorCode } from '../errors.ts';

export interface ClientConnection {
  readonly id: string;
  /** False once the connection is closed. */
  isOpen?(): boolean;
  /** It replaces no other connection of its client, and none replaces it. */
  readonly standsAlone?: true;
  /** It sends nothing and waits for nothing: a drain ends it first. */
  readonly onlyReads?: true;
  /** False if the client reads too slowly: a later frame would leave a gap. */
  send(frames: readonly string[]): boolean;
  /** Tells the client that its input was refused. */
  refuse(code: ErrorCode, messageId?: string): void;
  /** Answers the client's `extend`. A connection that sends none needs no answer. */
  extended?(ends: SessionEnds): void;
  /** Ends the connection; `closed`: a client closed the session. */
  end(code: ErrorCode | 'closed'): void;
}
