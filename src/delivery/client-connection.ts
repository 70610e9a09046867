import type { ErrorCode } from '../errors.ts';

/** One client's end of a connection, whatever carries it. */
export interface ClientConnection {
  readonly id: string;
  /** False once the connection is gone. */
  isOpen?(): boolean;
  /** Comes for one turn and goes: it takes no other connection's place, and none takes its. */
  readonly isForOneTurn?: true;
  /** False where the client read too slowly: nothing more may be sent, or it would see a gap. */
  send(frames: readonly string[]): boolean;
  /** Says that something this client sent was not taken. */
  refuse(code: ErrorCode, messageId?: string): void;
  /** Ends the connection; `closed` is the client's own wish come true. */
  end(code: ErrorCode | 'closed'): void;
}
