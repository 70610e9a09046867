/** cancelTurn cancels a turn that runs or waits, on whichever instance, and returns how the turn ended. */
import type { Participant } from '../../identity/acting-user.ts';
import { Refusal } from '../core/answer.ts';
import { type HttpRequest, participantIn } from '../core/request.ts';
import { authorOf, sendAndWait } from '../sessions/find-session.ts';
import { findUnderWay, reachableSession, type TurnQuery, turnQuery } from './find-turn.ts';
import { readTurn, type TurnSnapshot } from './read-turns.ts';
import type { TurnPorts } from './turn-request.ts';

/**
 * Null: the caller finds no such turn. An ended turn stays as it ended, so a repeated cancel gets the same answer. A turn
 * that is still `running` in the answer belongs to an instance that does not answer; it is cancelled once that returns.
 */
export async function cancelTurn(
  ports: TurnPorts,
  request: HttpRequest,
  sessionId: string,
  turnId: string,
  participant: Participant = participantIn(request),
): Promise<TurnSnapshot | null> {
  const query = turnQuery(request, sessionId, turnId, participant);
  const view = await reachableSession(ports, query);
  if (view !== null && findUnderWay(view.context, query) !== null) await cancel(ports, request, query);
  return readTurn(ports, request, sessionId, turnId, participant);
}

async function cancel(ports: TurnPorts, { caller }: HttpRequest, query: TurnQuery): Promise<void> {
  const { sessionId, turnId, participant } = query;
  const event = { type: 'cancel', at: ports.clock.now(), ...authorOf(caller, participant), turnId } as const;
  try {
    await sendAndWait(
      ports,
      sessionId,
      event,
      (now) => now === null || findUnderWay(now.context, query) === null,
    );
  } catch (error) {
    // The turn may have ended meanwhile.
    const hasEnded =
      error instanceof Refusal && (error.code === 'unknown_turn' || error.code === 'session_not_found');
    const view = hasEnded ? await reachableSession(ports, query) : null;
    if (!hasEnded || (view !== null && findUnderWay(view.context, query) !== null)) throw error;
  }
}
