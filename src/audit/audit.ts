/**
 * Who touched which session, when and from where: the port through which the doors of the service tell of it.
 *
 * Ids and never words: nothing that was said or asked for, no patient data, no token. Why this is noted and nothing
 * else: docs/adr/0013.
 */
import type { ErrorCode } from '../errors.ts';

export type AuditAction =
  | 'created'
  | 'resumed'
  | 'read'
  | 'listed'
  /** A turn was asked for. */
  | 'message'
  | 'shared'
  | 'share_revoked'
  | 'closed'
  | 'deleted'
  | 'erased_session'
  | 'erased_user';

/** `passed`: told to the instance that serves the session. Where that one forbids it, another line says so. */
export type AuditOutcome = 'ok' | 'passed' | ErrorCode;

/** Where somebody came in. A route is named by its pattern: the path itself may hold a user's name. */
export type Door =
  | { readonly kind: 'http'; readonly route: string; readonly requestId: string }
  | { readonly kind: 'socket'; readonly connection: string };

export interface Access {
  readonly action: AuditAction;
  readonly outcome: AuditOutcome;
  readonly sessionId: string | null;
  /** Of an answer that tells of several sessions. */
  readonly sessionIds?: readonly string[];
  /** Who acts, as far as they said. */
  readonly userId: string | null;
  readonly clientId: string | null;
  /** Who is invited, shown out or erased. */
  readonly subjectUserId?: string;
  /** In which form a conversation was taken along. */
  readonly format?: string;
  readonly address: string;
  readonly door: Door;
}

/** What only a route of HTTP knows of an access. */
export type Noted = Partial<
  Pick<Access, 'action' | 'sessionId' | 'sessionIds' | 'userId' | 'subjectUserId' | 'format'>
>;

export interface Audit {
  note(access: Access): void;
}
