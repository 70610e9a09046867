/** `rehydra/client`: a session for programs in Node and in browsers. */
import { ConnectedSession } from './connected-session.ts';
import type { ConnectOptions, RehydraSession } from './rehydra-session.ts';

export type { ClientConversation, TurnOutcome, TurnView } from '../assembler.ts';
export type { ClientEvent, ErrorFrame, OverReason, SendOptions, Welcome } from '../session.ts';
export type { DurableFrame, OverlapPolicy, TopState } from '../wire.ts';
export {
  type Acknowledgement,
  type Answer,
  type Bookmark,
  type ConnectOptions,
  type OverEvent,
  type Piece,
  RehydraError,
  type RehydraSession,
  type SentMessage,
  type SessionEvents,
} from './rehydra-session.ts';

/**
 * Opens a session, or resumes one. The client dials after the caller's current task, so listeners that the caller adds
 * now miss nothing.
 */
export function connect(options: ConnectOptions): RehydraSession {
  return new ConnectedSession(options);
}
