/** DeliveryPort is how sessions reach the sockets of their instance. */
import type { SessionEnds } from '../../../machines/effects.ts';
import type { ErrorCode } from '../../errors.ts';
import type { StoredFrame } from '../../store/contract.ts';
import type { StopReason } from '../actor/actor-host.ts';

/** A client that attached with a new connection. It replaces connections of the same user only. */
export interface ReplacingClient {
  readonly clientId: string;
  readonly userId: string | null;
}

export interface DeliveryPort {
  deliver(sessionId: string, frames: readonly StoredFrame[]): void;
  /** True while this instance has a socket of the session. */
  hasSockets(sessionId: string): boolean;
  refuse(sessionId: string, connection: string, code: ErrorCode, messageId?: string): void;
  /** Answers the `extend` of a connection. */
  extended(sessionId: string, connection: string, ends: SessionEnds): void;
  /** The client attached elsewhere: ends its connections that attached before `version`. */
  replace(sessionId: string, client: ReplacingClient, version: number): void;
  /** The session got its owner elsewhere: ends the connections without a user that attached up to `version`. */
  endUnnamed(sessionId: string, version: number): void;
  /** The session's actor stopped here; after `ended` its last frame was delivered. */
  left(sessionId: string, reason: StopReason): void;
  /** Sessions that have a socket here. */
  readonly sessions: Iterable<string>;
  /** Reads the log: hints of recent frames may have been lost. */
  catchUp(sessionId: string): void;
  end(sessionId: string, code: ErrorCode): void;
}
