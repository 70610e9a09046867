/** Finds the session, and the turn, that the id of a chat or of a run names for the caller. */
import type { Participant } from '../../identity/acting-user.ts';
import { type HttpRequest, participantIn } from '../core/request.ts';
import { reachableLives, reachableSession, sessionQuery } from '../turns/find-turn.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { isUuid, runIn, sessionOfChat } from './chat-ids.ts';

export interface ChatPlace {
  readonly participant: Participant;
  readonly sessionId: string;
  /** The turn of a run. Null: the id is that of a chat. */
  readonly turnId: string | null;
  /** The id cannot lead to the session of another user, so a message may create the session. */
  readonly isNew: boolean;
}

export async function findPlace(ports: TurnPorts, request: HttpRequest, id: string): Promise<ChatPlace> {
  const participant = participantIn(request);
  const run = runIn(id);
  if (run !== null) return { participant, ...run, isNew: false };
  const derived = { participant, sessionId: sessionOfChat(id, participant), turnId: null, isNew: true };
  if (!isUuid(id)) return derived;
  const named = { ...derived, sessionId: id.toLowerCase(), isNew: false };
  // Without credentials a client may create a session under any UUID.
  if (!participant.seesOwnOnly) return named;
  const query = sessionQuery(request, named.sessionId, participant);
  if ((await reachableSession(ports, query)) !== null) return named;
  const lives = await reachableLives(ports, query);
  // A user's next life of a session keeps its id. Under AUTH a client may choose no other session's UUID.
  return lives.length > 0 ? { ...named, isNew: true } : derived;
}

/** The turn of the id: that of the run, else the chat's running turn, else the first that waits. Null: none. */
export async function turnUnderWay(
  ports: TurnPorts,
  request: HttpRequest,
  { participant, sessionId, turnId }: ChatPlace,
): Promise<string | null> {
  if (turnId !== null) return turnId;
  const view = await reachableSession(ports, sessionQuery(request, sessionId, participant));
  return view === null ? null : (view.context.turn?.id ?? view.context.queue[0]?.turnId ?? null);
}

/** The place that the id in the path names. */
export async function placeIn(ports: TurnPorts, request: HttpRequest): Promise<ChatPlace> {
  const place = await findPlace(ports, request, decodedId(request.params.id ?? ''));
  request.about?.({ sessionId: place.sessionId });
  return place;
}

/** The transports encode the id for the path. */
function decodedId(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}
