/** Finds the conversation that a new response belongs to, and the name of its message. */
import { randomUUID } from 'node:crypto';
import type { Participant } from '../../identity/acting-user.ts';
import { derivedUuid } from '../../protocol/derived-uuid.ts';
import { Refusal } from '../core/answer.ts';
import { type HttpRequest, participantIn } from '../core/request.ts';
import { type Conversation, readTurns } from '../turns/read-turns.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { responseNamed, sessionOfConversation } from './ids.ts';
import { firstAttempt, freshName, isRetry, keyedName, type MessageName } from './message-name.ts';
import type { ResponseRequest } from './response-request.ts';

export interface ResponsePlace extends MessageName {
  readonly participant: Participant;
  readonly sessionId: string;
  readonly isNew: boolean;
  /** The request may take the turn of an earlier request with the same name. */
  readonly isRepeatable: boolean;
  readonly previousTurnId: string | null;
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
  if (conversation === null && previousResponseId === null) return newPlace(participant, key, text);
  const previous = previousResponseId === null ? null : storedResponse(previousResponseId);
  const sessionId = previous?.sessionId ?? sessionNamed(conversation ?? '');
  const found = await readTurns(ports, request, sessionId, participant);
  if (found === null || wasDeleted(found))
    throw absent(previous === null ? 'conversation' : 'previous_response_id');
  if (!found.isLive) throw new Refusal('session_expired');
  const turnIds = turnIdsOf(found);
  const latest = turnIds.at(-1) ?? null;
  const named = { sessionId, anchor: previous?.turnId ?? latest, body: text };
  const sentBefore = key === '' && isRetry(request) ? firstAttempt(named, turnIds) : null;
  const name = key === '' ? (sentBefore ?? freshName(named)) : keyedName(sessionId, key, text);
  const index = turnIds.indexOf(name.turnId);
  if (previous !== null && index === -1) requireLatest(turnIds, previous.turnId);
  return {
    ...name,
    // The conversation exists: if it ends meanwhile, a message must not begin another under its id.
    participant: { ...participant, seesOwnOnly: true },
    sessionId,
    isNew: false,
    isRepeatable: key !== '' || sentBefore !== null,
    previousTurnId: index === -1 ? latest : (turnIds[index - 1] ?? null),
  };
}

/** The client, or its user, has ended the conversation. */
export const wasDeleted = ({ endReason }: Conversation): boolean =>
  endReason === 'closed' || endReason === 'admin';

/** In order; those that wait come last. */
export function turnIdsOf({ turns, runningTurnId, queuedTurnIds }: Conversation): readonly string[] {
  const running = runningTurnId === null ? [] : [runningTurnId];
  return [...new Set([...turns.map(({ turnId }) => turnId), ...running, ...queuedTurnIds])];
}

export const absent = (param: string): Refusal =>
  new Refusal('not_found', `${param}: there is none with this id`);

function newPlace(participant: Participant, key: string, text: string): ResponsePlace {
  const { tenant, userId } = participant;
  const sessionId = key === '' ? randomUUID() : derivedUuid('responses', tenant, userId ?? '', key, text);
  const name =
    key === '' ? freshName({ sessionId, anchor: null, body: text }) : keyedName(sessionId, key, text);
  const isRepeatable = key !== '';
  return { ...name, participant, sessionId, isNew: true, isRepeatable, previousTurnId: null };
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

/** A conversation goes on from its latest turn. To go on from an older one would need a copy of the conversation. */
function requireLatest(turnIds: readonly string[], turnId: string): void {
  if (!turnIds.includes(turnId)) throw absent('previous_response_id');
  if (turnIds.at(-1) === turnId) return;
  throw new Refusal(
    'unsupported_parameter',
    'previous_response_id: is not the latest response of its conversation',
  );
}
