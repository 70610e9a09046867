/** sendFrame sends a frame of an attached client to its session, and names the action for the audit log. */
import type { OverlapPolicy } from '../../../machines/vocabulary.ts';
import type { AuditAction } from '../../audit/audit.ts';
import type { Clock } from '../../clock.ts';
import type { SessionServices } from '../../delivery/attach-client.ts';
import type { Participant } from '../../identity/acting-user.ts';
import type { Caller } from '../../identity/caller.ts';
import { reachOf } from '../../identity/permissions.ts';
import type { ClientFrame } from '../../protocol/client-frames.ts';
import { toEvent } from '../../protocol/to-event.ts';
import { done, type Outcome } from '../../session/machine/outcome.ts';
import { forkSession } from '../../session/router/fork.ts';
import type { Origin } from '../../session/router/inbox.ts';

/** Frames for the session; the connection answers the others. */
type SessionFrame = Exclude<ClientFrame, { readonly type: 'hello' | 'authenticate' | 'ping' }>;

export interface InputPorts {
  readonly services: SessionServices;
  readonly clock: Clock;
  readonly defaultPolicy: OverlapPolicy;
}

export interface InputPlace {
  readonly sessionId: string;
  readonly participant: Participant;
}

/** Actions of the audit log, by the frame that asks for them. */
export const ACTIONS: Readonly<Record<SessionFrame['type'], AuditAction>> = {
  message: 'message',
  regenerate: 'regenerated',
  fork: 'forked',
  cancel: 'cancelled',
  extend: 'extended',
  close: 'closed',
};

export function maySend(caller: Caller, frame: ClientFrame): boolean {
  if (reachOf(caller, frame.type) === 'none') return false;
  const hasInstructions = 'instructions' in frame && frame.instructions !== undefined;
  return !hasInstructions || reachOf(caller, 'instructions') !== 'none';
}

/** The refusal of another instance goes to `origin`. */
export async function sendFrame(
  { services, clock, defaultPolicy }: InputPorts,
  { sessionId, participant }: InputPlace,
  frame: SessionFrame,
  origin: Origin,
): Promise<Outcome> {
  if (frame.type === 'fork') {
    const forked = await forkSession(services, { ...frame, sessionId, participant }, origin);
    return forked.kind === 'forked' ? done : forked;
  }
  const { userId, tenant } = participant;
  const sender = { at: clock.now(), userId, tenant, defaultPolicy };
  return services.sessions.send(sessionId, toEvent(frame, sessionId, sender), origin);
}
