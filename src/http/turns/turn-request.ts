/** TurnRequest is one client's request for a turn, whichever route took it. */
import { z } from 'zod';
import { type OverlapPolicy, overlapPolicySchema } from '../../../machines/vocabulary.ts';
import type { AuditAction, AuditOutcome } from '../../audit/audit.ts';
import type { Participant } from '../../identity/acting-user.ts';
import { reachOf } from '../../identity/permissions.ts';
import type { HelloFrame } from '../../protocol/client-frames.ts';
import type { messageEvent, regenerateEvent, Sender } from '../../protocol/to-event.ts';
import { Refusal } from '../core/answer.ts';
import type { LongReads } from '../core/long-reads.ts';
import type { HttpPorts } from '../core/ports.ts';
import type { HttpRequest } from '../core/request.ts';

/** The ports of routes that read turns. */
export interface TurnPorts extends HttpPorts {
  readonly longReads: LongReads;
}

export interface SentMessage {
  readonly kind: 'send';
  readonly id: string;
  /** The client named the message, so a repetition gets the turn of the first one. */
  readonly repeatable: boolean;
  readonly event: (sender: Sender) => ReturnType<typeof messageEvent | typeof regenerateEvent>;
}

/** One turn as the client requests it: the session, and the message to send or the offset to follow from. */
export interface TurnInput {
  readonly participant: Participant;
  readonly sessionId: string;
  /** The client names no session: the server chose or derived the id, so nothing can be guessed with it. */
  readonly isNew: boolean;
  readonly arrival: Omit<HelloFrame, 'type' | 'session_id' | 'after' | 'epoch' | 'token' | 'user_id'>;
  readonly message:
    | SentMessage
    /** Sends nothing: follows the turn that continues after the offset `after`. */
    | { readonly kind: 'listen'; readonly after: number };
}

/** The calls that a turn over HTTP makes while it runs. */
export interface TurnWatch {
  /** Runs `task` if the client disconnects; its turn goes on. */
  readonly onGone: (task: () => void) => void;
  /** Runs `task` once the client's credential has ended, until the returned function is called. */
  readonly whenIdentityEnds: (task: () => void) => () => void;
  readonly failed: (error: unknown) => void;
  /** Writes to the audit log. */
  readonly note: (action: AuditAction, outcome: AuditOutcome) => void;
  /** Called if there was no session with this id. */
  readonly onUnknown: () => void;
}

export interface TurnRequest extends TurnInput, TurnWatch {}

/** Instructions change what the operator's prompt says, so only trusted callers may send them. */
export function instructionsIn(
  { caller }: HttpRequest,
  instructions: string | undefined,
): string | undefined {
  if (instructions !== undefined && reachOf(caller, 'instructions') === 'none')
    throw new Refusal('forbidden', 'instructions: the credential may not send them');
  return instructions;
}

const POLICY_HEADER = 'rehydra-policy';

export const policyHeader = {
  [POLICY_HEADER]: z
    .enum(['queue', 'reject', 'interrupt', 'rollback'])
    .optional()
    .describe('what happens if another turn of the conversation is running'),
};

/**
 * The overlap policy of a request whose protocol has no field for it. With `merge` the answer would belong to another
 * request.
 */
export function policyIn({ header }: HttpRequest, { defaultPolicy }: HttpPorts): OverlapPolicy {
  const named = header(POLICY_HEADER);
  if (named === '') return defaultPolicy === 'merge' ? 'queue' : defaultPolicy;
  const policy = overlapPolicySchema.safeParse(named);
  if (policy.success && policy.data !== 'merge') return policy.data;
  throw new Refusal('bad_request', `${POLICY_HEADER}: is none of queue, reject, interrupt, rollback`);
}
