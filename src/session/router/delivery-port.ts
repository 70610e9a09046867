/** What the sockets' side of an instance does for its sessions. */
import type { ErrorCode } from '../../errors.ts';
import type { StoredFrame } from '../../store/contract.ts';
import type { StopReason } from '../actor/actor-host.ts';

export interface DeliveryPort {
  deliver(sessionId: string, frames: readonly StoredFrame[]): void;
  /** True while this instance has a socket of the session. */
  hasSockets(sessionId: string): boolean;
  refuse(sessionId: string, connection: string, code: ErrorCode, messageId?: string): void;
  /** A client arrived elsewhere: its connections that arrived before `version` end. */
  replace(sessionId: string, clientId: string, version: number): void;
  /** The session is over or owned elsewhere now; `ended` after its last frame was delivered. */
  left(sessionId: string, reason: StopReason): void;
  /** Sessions that have a socket here. */
  readonly sessions: Iterable<string>;
  /** What was stored meanwhile may not have been hinted to us. */
  catchUp(sessionId: string): void;
  end(sessionId: string, code: ErrorCode): void;
}
