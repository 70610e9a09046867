/** findResponse finds a response by its id, wherever its turn is: in the queue, running, in the log or in the archive. */
import { type HttpRequest, participantIn } from '../core/request.ts';
import type { TurnFrame } from '../turns/own-turn.ts';
import { type Conversation, readTurn, readTurns, type TurnSnapshot } from '../turns/read-turns.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { type ResponseName, responseNamed } from './ids.ts';
import type { ResponseFacts, ResponseObject } from './response-object.ts';
import { absent, previousIn, wasDeleted } from './response-place.ts';
import { responseNow, responseStreamOf, takeFrame } from './response-stream.ts';

export interface FoundResponse {
  readonly name: ResponseName;
  readonly turn: TurnSnapshot;
  readonly facts: ResponseFacts;
  readonly conversation: Conversation;
}

/** The turn that the id names. Throws a Refusal if the service never gave such an id. */
export function namedIn(request: HttpRequest): ResponseName {
  const name = responseNamed(request.params.id ?? '');
  if (name === null) throw absent('response_id');
  request.about?.({ sessionId: name.sessionId });
  return name;
}

export async function findResponse(ports: TurnPorts, request: HttpRequest): Promise<FoundResponse> {
  const name = namedIn(request);
  const { sessionId, turnId, isStored } = name;
  const participant = participantIn(request);
  const turn = await readTurn(ports, request, sessionId, turnId, participant);
  if (turn === null || (turn.state === 'ended' && !isStored)) throw absent('response_id');
  const conversation = await readTurns(ports, request, sessionId, participant);
  if (conversation === null || wasDeleted(conversation)) throw absent('response_id');
  return { name, turn, conversation, facts: await factsOf(ports, name, conversation) };
}

/** What is stored of a response: the request's own fields are not. */
async function factsOf(
  ports: TurnPorts,
  name: ResponseName,
  conversation: Conversation,
): Promise<ResponseFacts> {
  const question = conversation.turns.find(({ turnId }) => turnId === name.turnId)?.question;
  return {
    ...name,
    createdAt: question?.at ?? ports.clock.now(),
    previousResponseId: previousIn(conversation, name.turnId),
    model: (await ports.servedModel()) ?? '',
    isBackground: false,
    instructions: null,
    metadata: {},
    temperature: null,
    maxOutputTokens: null,
  };
}

/** The response after these frames, which are those of its turn in the order of the log. */
export function responseOf(facts: ResponseFacts, frames: readonly TurnFrame[]): ResponseObject {
  const lastStart = frames.findLastIndex(({ type }) => type === 'turn.started');
  let stream = responseStreamOf(facts);
  // A try of the answer that was given up does not count.
  for (const frame of frames.slice(Math.max(0, lastStart))) stream = takeFrame(stream, frame).stream;
  return responseNow(stream);
}
