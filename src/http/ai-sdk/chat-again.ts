/**
 * findAgain turns an answer that the page asks for again, or a question that it edits, into the request of a new turn.
 *
 *  AGAIN-1  A page keeps the id of a question, while each new answer is a turn of its own. The turns of one question follow
 *           from its id and a number, so any instance finds the one that the conversation has now.
 *  AGAIN-2  A repeated edit gets the turn of the first one: the conversation has its text already.
 */

import { derivedUuid } from '../../protocol/derived-uuid.ts';
import { regenerateEvent } from '../../protocol/to-event.ts';
import { turnOfItem, turnOfMessage } from '../chats/chat-ids.ts';
import type { ChatPlace } from '../chats/chat-place.ts';
import { Refusal } from '../core/answer.ts';
import { limitLook } from '../core/limits.ts';
import type { HttpRequest } from '../core/request.ts';
import { readTurns } from '../turns/read-turns.ts';
import type { ConversationTurn } from '../turns/rebuilt-turn.ts';
import type { SentMessage, TurnInput, TurnPorts } from '../turns/turn-request.ts';
import type { ChatQuestion } from './chat-request.ts';

/** How often one question can be answered. */
const ANSWERS_MAX = 100;

interface Answered {
  readonly turn: ConversationTurn;
  /** Names the request for the next answer to the question. */
  readonly nextId: string;
  /** Names the request that led to this answer. */
  readonly id: string;
}

export async function findAgain(
  ports: TurnPorts,
  request: HttpRequest,
  { sessionId, participant, isNew }: ChatPlace,
  question: ChatQuestion,
): Promise<TurnInput & { readonly message: SentMessage }> {
  const read = () => readTurns(ports, request, sessionId, participant);
  const conversation = await (isNew ? read() : limitLook(ports.limits, request, read));
  if (conversation === null || !conversation.isLive) throw new Refusal('session_not_found');
  const answered = answeredIn(conversation.turns, sessionId, question);
  const isEdit = question.again === 'question';
  const isRepeat = isEdit && answered.turn.question.content === question.content;
  const id = isRepeat ? answered.id : answered.nextId;
  const { content, options } = question;
  const frame = { id, turn_id: answered.turn.turnId, options, ...(isEdit ? { content } : {}) };
  return {
    participant: { ...participant, seesOwnOnly: true },
    sessionId,
    isNew: false,
    arrival: {},
    message: {
      kind: 'send',
      id,
      repeatable: true,
      event: (sender) => regenerateEvent(frame, sessionId, sender),
    },
  };
}

/** The turn that the page means: that of the answer, else the one that the question has now. */
function answeredIn(
  turns: readonly ConversationTurn[],
  sessionId: string,
  { messageId, answerId }: ChatQuestion,
): Answered {
  const named = answerId === undefined ? null : turnOfItem(answerId);
  const byId = new Map(turns.map((turn) => [turn.turnId, turn]));
  for (let number = 0; number < ANSWERS_MAX; number += 1) {
    const id = idOf(sessionId, messageId, number);
    const first = number === 0 ? turnOfItem(messageId) : null;
    const turn = byId.get(first ?? turnOfMessage(sessionId, id));
    if (turn !== undefined && (named === null || named === turn.turnId))
      return { turn, id, nextId: idOf(sessionId, messageId, number + 1) };
  }
  const turn = named === null ? undefined : byId.get(named);
  if (turn === undefined)
    throw new Refusal('unknown_turn', 'messageId: the conversation has no such message');
  return { turn, id: turn.turnId, nextId: derivedUuid('again', sessionId, turn.turnId) };
}

const idOf = (sessionId: string, messageId: string, number: number): string =>
  number === 0 ? messageId : derivedUuid('again', sessionId, messageId, String(number));
