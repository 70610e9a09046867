/**
 * Audit records who accessed which session, when and from where: the port of HTTP routes and sockets to the audit log.
 *
 * An access holds ids only: no content, no patient data, no token. docs/adr/0013 gives the reasons.
 */
import type { ErrorCode } from '../errors.ts';
import type { Caller, Role } from '../identity/caller.ts';

export type AuditAction =
  | 'created'
  | 'resumed'
  | 'read'
  | 'listed'
  | 'exported'
  /** Usage figures of all sessions. */
  | 'analytics'
  /** The client asked for a turn. */
  | 'message'
  /** The client took turns back and asked again. */
  | 'regenerated'
  /** The client copied turns into a new session. */
  | 'forked'
  | 'cancelled'
  | 'extended'
  | 'shared'
  | 'share_revoked'
  | 'closed'
  | 'deleted'
  | 'erased_session'
  | 'erased_user'
  /** The client showed a credential; the outcome tells whether it is valid. */
  | 'authenticated'
  /** Refused before any session was looked at: no credential, no permission, another origin. */
  | 'refused'
  /** The credential of an open socket expired or was withdrawn. */
  | 'identity_ended';

/**
 * `begun`: strict mode writes this line before the action, and its result in a second one. `passed`: forwarded to the owner
 * of the session. If the owner forbids it, the owner's refusal is another line.
 */
export type AuditOutcome = 'ok' | 'begun' | 'passed' | ErrorCode;

/** A caller as its credential proves it. */
export interface Actor {
  readonly role: Role;
  readonly subject: string;
  readonly tenant: string;
  readonly credential: string;
}

/** How the client reached the session. `route` is the pattern: a path may hold a user's name. */
export type AccessChannel =
  | { readonly kind: 'http'; readonly route: string; readonly requestId: string }
  | { readonly kind: 'socket'; readonly connection: string }
  /** The request that would have become a socket. */
  | { readonly kind: 'upgrade'; readonly route: string };

export interface Access {
  readonly action: AuditAction;
  readonly outcome: AuditOutcome;
  readonly sessionId: string | null;
  /** For an answer about several sessions. */
  readonly sessionIds?: readonly string[];
  /** The user who acts, as the client named them; with a proven `actor` of role `user`, its subject. */
  readonly userId: string | null;
  /** Absent: the client has proven no identity. */
  readonly actor?: Actor;
  /** The user whom a service named. */
  readonly onBehalfOf?: string;
  readonly clientId: string | null;
  /** The user who is invited, removed or erased. */
  readonly subjectUserId?: string;
  /** The format of an export. */
  readonly format?: string;
  /** Why a credential or an origin was refused, in words of this program; never the credential. */
  readonly why?: string;
  readonly address: string;
  readonly channel: AccessChannel;
}

/** The part of an access that only an HTTP route knows. */
export type Noted = Partial<
  Pick<
    Access,
    'action' | 'sessionId' | 'sessionIds' | 'userId' | 'actor' | 'onBehalfOf' | 'subjectUserId' | 'format'
  >
>;

export interface Audit {
  /**
   * Writes one line and returns once the operating system has it. False only in strict mode, if that failed: the caller then
   * sends no content and answers `audit_unavailable`.
   */
  note(access: Access): boolean;
  /**
   * Call it before an action that changes something. In strict mode it writes a line with the outcome `begun`; false if that
   * failed: the caller refuses with `audit_unavailable`. Otherwise it writes nothing and is true.
   */
  begin(access: Omit<Access, 'outcome'>): boolean;
  /** True only in strict mode, while lines wait that cannot be written. It tries to write them. */
  refuses(): boolean;
}

/** The fields of an access that name a proven caller; none for other callers. */
export function actorOf(caller: Caller, named: string | null): Pick<Access, 'actor' | 'onBehalfOf'> {
  if (caller.kind !== 'identified') return {};
  const { role, subject, tenant, credential } = caller;
  return {
    actor: { role, subject, tenant, credential },
    ...(role === 'service' && named !== null ? { onBehalfOf: named } : {}),
  };
}
