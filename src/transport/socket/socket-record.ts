/** SocketRecord writes the audit lines of one socket. Without an audit log there is none. */
import { type Access, type Audit, type AuditAction, type AuditOutcome, actorOf } from '../../audit/audit.ts';
import type { SocketCaller } from './socket-caller.ts';

/** The client as the audit log names it. */
type Named = Pick<Access, 'sessionId' | 'userId' | 'clientId'>;

const UNNAMED: Named = { sessionId: null, userId: null, clientId: null };

export class SocketRecord {
  readonly #audit: Audit;
  readonly #caller: SocketCaller;
  readonly #socket: { readonly connection: string; readonly address: string };
  #named = UNNAMED;
  /** The last action but a message that was passed to an owner, which may refuse it later. */
  #passed: { readonly action: AuditAction; readonly requestId?: string | undefined } = { action: 'message' };

  constructor(
    audit: Audit,
    caller: SocketCaller,
    socket: { readonly connection: string; readonly address: string },
  ) {
    this.#audit = audit;
    this.#caller = caller;
    this.#socket = socket;
  }

  /** Lines from now on name the client so. */
  name(named: Partial<Named>): void {
    this.#named = { ...this.#named, ...named };
  }

  note(action: AuditAction, outcome: AuditOutcome, why?: string): void {
    this.#audit.note({ ...this.#access(action), outcome, ...(why === undefined ? {} : { why }) });
  }

  /** False if the audit log refuses the action (CONN-4). */
  begin(action: AuditAction): boolean {
    if (this.#audit.begin(this.#access(action))) return true;
    this.note(action, 'audit_unavailable');
    return false;
  }

  passed(action: AuditAction, requestId: string | undefined): void {
    if (action !== 'message') this.#passed = { action, requestId };
  }

  /** The log has the action as passed on, but the owner, on another instance, has since forbidden it. */
  forbiddenLater(requestId: string | undefined): void {
    const isPassed = requestId === undefined || requestId === this.#passed.requestId;
    this.note(isPassed ? this.#passed.action : 'message', 'forbidden');
  }

  #access(action: AuditAction): Omit<Access, 'outcome'> {
    const { connection, address } = this.#socket;
    return {
      action,
      ...actorOf(this.#caller.caller, this.#named.userId),
      ...this.#named,
      address,
      channel: { kind: 'socket', connection },
    };
  }
}
