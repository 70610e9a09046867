/**
 * Audit records who accessed which session, when and from where: the port of HTTP routes and sockets to the audit log.
 *
 * An access holds ids only: no content, no patient data, no token. docs/adr/0013 gives the reasons.
 */
import type { ErrorCode } from '../errors.ts';

export type AuditAction =
  | 'created'
  | 'resumed'
  | 'read'
  | 'listed'
  /** The client asked for a turn. */
  | 'message'
  | 'shared'
  | 'share_revoked'
  | 'closed'
  | 'deleted'
  | 'erased_session'
  | 'erased_user';

/** `passed`: forwarded to the owner of the session. If the owner forbids it, the owner writes another line. */
export type AuditOutcome = 'ok' | 'passed' | ErrorCode;

/** How the client reached the session. `route` is the pattern: a path may hold a user's name. */
export type AccessChannel =
  | { readonly kind: 'http'; readonly route: string; readonly requestId: string }
  | { readonly kind: 'socket'; readonly connection: string };

export interface Access {
  readonly action: AuditAction;
  readonly outcome: AuditOutcome;
  readonly sessionId: string | null;
  /** For an answer about several sessions. */
  readonly sessionIds?: readonly string[];
  /** The user who acts, as the client named them. */
  readonly userId: string | null;
  readonly clientId: string | null;
  /** The user who is invited, removed or erased. */
  readonly subjectUserId?: string;
  /** The format of an export. */
  readonly format?: string;
  readonly address: string;
  readonly channel: AccessChannel;
}

/** The part of an access that only an HTTP route knows. */
export type Noted = Partial<
  Pick<Access, 'action' | 'sessionId' | 'sessionIds' | 'userId' | 'subjectUserId' | 'format'>
>;

export interface Audit {
  note(access: Access): void;
}
