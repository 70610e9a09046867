/** Finds the session of a request that changes it, and the author of the change. */
import { accessOf } from '../../../machines/access.ts';
import type { Participant } from '../../identity/acting-user.ts';
import { senderKey } from '../../limits/limits.ts';
import type { SessionView } from '../../session/router/session-view.ts';
import { type HttpAnswer, problem, Refusal } from '../core/answer.ts';
import { type HttpRequest, participantIn, sessionIdIn } from '../core/request.ts';
import { authorOf } from '../sessions/find-session.ts';
import { reachableSession, sessionQuery } from '../turns/find-turn.ts';
import type { TurnPorts } from '../turns/turn-request.ts';

export interface Writer {
  readonly participant: Participant;
  readonly by: ReturnType<typeof authorOf>;
}

/** The user for whom the request acts; the audit line names it. `claimed` is the user id in its body. */
export function writerOf(request: HttpRequest, claimed: string | undefined): Writer {
  const participant = participantIn(request, claimed);
  request.about?.({ userId: participant.userId });
  return { participant, by: authorOf(request.caller, participant) };
}

/** Null: there is no live session that the writer may reach. A guest who may only read is refused. */
export async function writableSession(
  ports: TurnPorts,
  request: HttpRequest,
  { participant, by }: Writer,
): Promise<SessionView | null> {
  const view = await reachableSession(ports, sessionQuery(request, sessionIdIn(request), participant));
  if (view === null || by.author === undefined) return view;
  const access = accessOf(view.context, participant, ports.clock.now());
  if (access === 'owner' || access === 'write') return view;
  throw new Refusal(access === 'none' ? 'session_not_found' : 'forbidden');
}

/** A write counts as a message; the answer that refuses one too many, or null. */
export async function limitedWrite(
  { limits }: TurnPorts,
  request: HttpRequest,
  { participant }: Writer,
): Promise<HttpAnswer | null> {
  const waitMs = (await limits.messages?.take(senderKey(participant, sessionIdIn(request)))) ?? 0;
  return waitMs > 0 ? problem('rate_limited', request.requestId, undefined, waitMs) : null;
}
