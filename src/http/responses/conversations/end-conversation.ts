/** endConversation ends a session for its owner. The archive keeps what it has, as of every ended session. */
import { accessOf } from '../../../../machines/access.ts';
import { Refusal } from '../../core/answer.ts';
import { type HttpRequest, participantIn } from '../../core/request.ts';
import { authorOf, sendAndWait } from '../../sessions/find-session.ts';
import { reachableSession, sessionQuery } from '../../turns/find-turn.ts';
import type { TurnPorts } from '../../turns/turn-request.ts';

/** Throws a Refusal if the session has ended, if the caller does not own it, or if its owner does not answer. */
export async function endConversation(
  ports: TurnPorts,
  request: HttpRequest,
  sessionId: string,
): Promise<void> {
  const participant = participantIn(request);
  const view = await reachableSession(ports, sessionQuery(request, sessionId, participant));
  if (view === null) throw new Refusal('session_expired');
  const by = authorOf(request.caller, participant);
  const isOwner = accessOf(view.context, participant, ports.clock.now()) === 'owner';
  if (by.author !== undefined && !isOwner) throw new Refusal('forbidden');
  const event = { type: 'close', at: ports.clock.now(), ...by, reason: 'closed' } as const;
  const isGone = await sendAndWait(ports, sessionId, event, (now) => now === null);
  if (!isGone) throw new Refusal('session_moved');
}
