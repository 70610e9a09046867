/** Finds the conversation that a new response belongs to, and the name of its message. */
import { randomUUID } from 'node:crypto';
import type { Participant } from '../../identity/acting-user.ts';
import { derivedUuid } from '../../protocol/derived-uuid.ts';
import { type ForkRequest, forkIdOf } from '../../session/router/fork.ts';
import { Refusal } from '../core/answer.ts';
import { limitLook } from '../core/limits.ts';
import { type HttpRequest, participantIn } from '../core/request.ts';
import { type Conversation, readTurns } from '../turns/read-turns.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { type ResponseName, responseIdOf, responseNamed, sessionOfConversation } from './ids.ts';
import { firstAttempt, freshName, isRetry, keyedName, type MessageName } from './message-name.ts';
import type { ResponseRequest } from './response-request.ts';

export interface ResponsePlace extends MessageName {
  readonly participant: Participant;
  readonly sessionId: string;
  readonly isNew: boolean;
  /** The request may take the turn of an earlier request with the same name. */
  readonly isRepeatable: boolean;
  readonly previousResponseId: string | null;
  /** The branch that the conversation has to be; null: it goes on where it is. */
  readonly branch: ForkRequest | null;
}

const KEY_MAX = 256;

/** `text` is the body. */
export async function placeOf(
  ports: TurnPorts,
  request: HttpRequest,
  body: ResponseRequest,
  text: string,
): Promise<ResponsePlace> {
  const participant = participantIn(request);
  const key = request.header('idempotency-key');
  if (key.length > KEY_MAX) throw new Refusal('bad_request', 'idempotency_key: is too long');
  const { conversation, previousResponseId } = body;
  if (conversation === null && previousResponseId === null) return newPlace({ participant, key, text });
  const previous = previousResponseId === null ? null : storedResponse(previousResponseId);
  const sessionId = previous?.sessionId ?? sessionNamed(conversation ?? '');
  const found = await limitLook(ports.limits, request, async () => {
    const conversation = await readTurns(ports, request, sessionId, participant);
    return conversation === null || wasDeleted(conversation) ? null : conversation;
  });
  if (found === null) throw absent(previous === null ? 'conversation' : 'previous_response_id');
  if (!found.isLive) throw new Refusal('session_expired');
  const turnIds = turnIdsOf(found);
  const latest = turnIds.at(-1) ?? null;
  const named = { sessionId, anchor: previous?.turnId ?? latest, body: text };
  const sentBefore = key === '' && isRetry(request) ? firstAttempt(named, turnIds) : null;
  const name = key === '' ? (sentBefore ?? freshName(named)) : keyedName(sessionId, key, text);
  const isKnown = turnIds.includes(name.turnId);
  if (previous !== null && !isKnown && previous.turnId !== latest)
    return branchPlace(found, { participant, key, text }, previous);
  return {
    ...name,
    // The conversation exists: if it ends meanwhile, a message must not begin another under its id.
    participant: { ...participant, seesOwnOnly: true },
    sessionId,
    isNew: false,
    isRepeatable: key !== '' || sentBefore !== null,
    previousResponseId: previousResponseId ?? previousIn(found, isKnown ? name.turnId : null),
    branch: null,
  };
}

/** The client, or its user, has ended the conversation. */
export const wasDeleted = ({ endReason }: Conversation): boolean =>
  endReason === 'closed' || endReason === 'admin';

/** In order; those that wait come last. */
function turnIdsOf({ turns, runningTurnId, queuedTurnIds }: Conversation): readonly string[] {
  const running = runningTurnId === null ? [] : [runningTurnId];
  return [...new Set([...turns.map(({ turnId }) => turnId), ...running, ...queuedTurnIds])];
}

export const absent = (param: string): Refusal =>
  new Refusal('not_found', `${param}: there is none with this id`);

/** The response before a turn, else the latest one. The first turn of a branch has one in the conversation that it left. */
export function previousIn(conversation: Conversation, turnId: string | null): string | null {
  const turnIds = turnIdsOf(conversation);
  const previous = turnId === null ? turnIds.at(-1) : turnIds[turnIds.indexOf(turnId) - 1];
  if (previous === undefined) return null;
  const { origin, sessionId } = conversation;
  const home = previous === origin?.turnId ? origin.sessionId : sessionId;
  return responseIdOf({ sessionId: home, turnId: previous, isStored: true });
}

interface Sent {
  readonly participant: Participant;
  readonly key: string;
  readonly text: string;
}

function newPlace({ participant, key, text }: Sent): ResponsePlace {
  const { tenant, userId } = participant;
  const sessionId = key === '' ? randomUUID() : derivedUuid('responses', tenant, userId ?? '', key, text);
  return { ...firstPlace({ participant, key, text }, sessionId), previousResponseId: null, branch: null };
}

/** A conversation goes on from its latest turn. To go on from an older one, the turns up to that one are copied. */
function branchPlace(found: Conversation, sent: Sent, previous: ResponseName): ResponsePlace {
  const { sessionId, turnId: after } = previous;
  if (!turnIdsOf(found).includes(after)) throw absent('previous_response_id');
  const { participant, key, text } = sent;
  const id = key === '' ? `res-${randomUUID()}` : keyedName(sessionId, key, text).messageId;
  return {
    ...firstPlace(sent, forkIdOf(found, id)),
    previousResponseId: responseIdOf(previous),
    branch: { sessionId, id, after, participant },
  };
}

/** The first message of a session whose id the service chooses. */
function firstPlace({ participant, key, text }: Sent, sessionId: string) {
  const name =
    key === '' ? freshName({ sessionId, anchor: null, body: text }) : keyedName(sessionId, key, text);
  return { ...name, participant, sessionId, isNew: true, isRepeatable: key !== '' };
}

function storedResponse(id: string) {
  const named = responseNamed(id);
  if (named?.isStored !== true) throw absent('previous_response_id');
  return named;
}

function sessionNamed(id: string): string {
  const sessionId = sessionOfConversation(id);
  if (sessionId === null) throw absent('conversation');
  return sessionId;
}
