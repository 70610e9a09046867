/** findConversation finds the conversation that the path of a request names: a live session, or its archived life. */
import { type HttpRequest, participantIn } from '../../core/request.ts';
import { type Conversation, readTurns } from '../../turns/read-turns.ts';
import type { TurnPorts } from '../../turns/turn-request.ts';
import { sessionOfConversation } from '../ids.ts';
import { absent, wasDeleted } from '../response-place.ts';

export async function findConversation(ports: TurnPorts, request: HttpRequest): Promise<Conversation> {
  const sessionId = sessionOfConversation(request.params.id ?? '');
  if (sessionId === null) throw absent('conversation_id');
  request.about?.({ sessionId });
  const conversation = await readTurns(ports, request, sessionId, participantIn(request));
  if (conversation === null || wasDeleted(conversation)) throw absent('conversation_id');
  return conversation;
}
