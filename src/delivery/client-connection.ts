/** ClientConnection is one client's connection, whatever carries it. */
import type { ErrorCode } from '../errors.ts';

export interface ClientConnection {
  readonly id: string;
  /** False once the connection is closed. */
  isOpen?(): boolean;
  /** Serves one turn and ends: it replaces no other connection of its client, and none replaces it. */
  readonly isForOneTurn?: true;
  /** False where the client reads too slowly: a later frame would leave a gap. */
  send(frames: readonly string[]): boolean;
  /** Tells the client that its input was refused. */
  refuse(code: ErrorCode, messageId?: string): void;
  /** Ends the connection; `closed` where the client asked for it. */
  end(code: ErrorCode | 'closed'): void;
}
