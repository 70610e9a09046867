/** Stops the answer that an id of a chat or of a run names, for every door that has a route for it. */
import { z } from 'zod';
import { type HttpAnswer, json } from '../core/answer.ts';
import type { HttpRequest } from '../core/request.ts';
import { type AnswerDescription, jsonAnswer } from '../core/router.ts';
import { cancelTurn } from '../turns/cancel-turn.ts';
import { turnStateOf } from '../turns/read-turns.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { placeIn, turnUnderWay } from './chat-place.ts';

const stoppedSchema = z
  .strictObject({
    turn_id: z.uuid().nullable().describe('the turn that was under way; null: none was'),
    state: z
      .enum(['cancelled', 'completed', 'failed', 'running', 'idle'])
      .describe('how the turn ended; `running`: the instance that runs it has not answered yet'),
  })
  .meta({ id: 'StoppedChat' });

export const STOPPED: Readonly<Record<number, AnswerDescription>> = {
  200: jsonAnswer('The answer runs no more.', stoppedSchema),
};

export async function stopChat(ports: TurnPorts, request: HttpRequest): Promise<HttpAnswer> {
  const place = await placeIn(ports, request);
  const turnId = await turnUnderWay(ports, request, place);
  const { sessionId, participant } = place;
  const turn = turnId === null ? null : await cancelTurn(ports, request, sessionId, turnId, participant);
  if (turn === null) return json(200, { turn_id: null, state: 'idle' });
  return json(200, { turn_id: turnId, state: turnStateOf(turn) });
}
