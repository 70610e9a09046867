/**
 * Follows one turn from its beginning to its end, with or without a message to send, in whichever state the turn is.
 *
 *  FOLLOW-1  It never waits for a frame that cannot come: a turn that is neither waiting nor running is looked up again.
 *  FOLLOW-2  Following creates no session.
 *  FOLLOW-3  A repeated request gets the turn of the first one, from its beginning.
 */
import type { HttpAnswer } from '../core/answer.ts';
import { problem, Refusal } from '../core/answer.ts';
import type { HttpRequest } from '../core/request.ts';
import { whileAttached } from './attach-turn.ts';
import { type Encoder, type SeenPiece, SSE_HEADERS } from './encoder.ts';
import { type FoundTurn, findTurn, findUnderWay, type TurnQuery } from './find-turn.ts';
import { sendMessage } from './join-turn.ts';
import { OwnTurn, type TurnFrame } from './own-turn.ts';
import { type Listener, TurnCollector, type TurnResult } from './turn-collector.ts';
import type { SentMessage, TurnPorts, TurnRequest, TurnWatch } from './turn-request.ts';
import { TurnFrames, type TurnSink, TurnStream } from './turn-stream.ts';
import { keepAlive, watchIdentity } from './turn-watch.ts';

/** A request for one turn: with `message` it sends the message, else it only follows. */
export interface OwnTurnRequest extends TurnWatch {
  readonly query: TurnQuery;
  readonly requestId: string;
  readonly sent: { readonly turn: TurnRequest; readonly message: SentMessage } | null;
}

/** The request of a turn with a message, whose id follows from the message. */
export function sendingRequest(
  turn: TurnRequest,
  { reach, requestId }: Pick<HttpRequest, 'reach' | 'requestId'>,
  turnId: string,
): OwnTurnRequest {
  const { message, sessionId, participant } = turn;
  if (message.kind !== 'send') throw new Error('the request has no message');
  const query = { sessionId, turnId, messageId: message.id, participant, reach };
  return { ...turn, query, requestId, sent: { turn, message } };
}

/** The request of a client that only follows. */
export function followingRequest(ports: TurnPorts, request: HttpRequest, query: TurnQuery): OwnTurnRequest {
  const { onGone, failed, requestId, caller } = request;
  return {
    query,
    requestId,
    sent: null,
    onGone,
    whenIdentityEnds: (task) => watchIdentity(ports, caller, query.participant.userId, task),
    failed: (error) => failed(error, requestId),
    note: () => {},
    onUnknown: () => {},
  };
}

/** The whole turn as a stream, or a problem if there is no such turn or the session refused the message. */
export async function streamOwnTurn(
  ports: TurnPorts,
  request: OwnTurnRequest,
  encoder: Encoder,
  seen: SeenPiece | null = null,
): Promise<HttpAnswer> {
  const stream = new TurnStream(encoder, seen);
  request.onGone(() => stream.gone());
  const ended = runTurn(ports, request, stream);
  const result = await Promise.race([ended, stream.whenTaken]);
  if (result?.kind === 'refused') return problem(result.code, request.requestId);
  return {
    status: 200,
    headers: { ...SSE_HEADERS, ...encoder.headers },
    body: (sink) => {
      stream.begin(sink);
      const stopKeepAlive = keepAlive(ports.clock, sink, encoder.keepAlive);
      ended
        .then((last) => stream.end(last))
        .catch(request.failed)
        .finally(() => {
          stopKeepAlive();
          sink.end();
        });
    },
  };
}

/** The end of the turn, and its frames. */
export async function awaitOwnTurn(
  ports: TurnPorts,
  request: OwnTurnRequest,
): Promise<{ readonly result: TurnResult; readonly frames: readonly TurnFrame[] }> {
  const sink = new TurnFrames();
  const result = await runTurn(ports, request, sink);
  return { result, frames: sink.frames };
}

/** Sends the message and returns once the session has it; its turn runs without a client. Null: the session has it. */
export async function startOwnTurn(
  ports: TurnPorts,
  { sent }: OwnTurnRequest,
): Promise<Extract<TurnResult, { readonly kind: 'refused' }> | null> {
  if (sent === null) throw new Error('the request has no message');
  let take: (value: null) => void = () => {};
  const taken = new Promise<null>((resolve) => {
    take = resolve;
  });
  const listener: Listener = { onFrame: () => true, onTaken: () => take(null) };
  const result = await sendMessage(ports, sent.turn, sent.message, listener, (collector) =>
    Promise.race([taken, collector.result]),
  );
  if (result === null || result.kind !== 'refused') return null;
  return result.code === 'duplicate_message' && sent.message.repeatable ? null : result;
}

/** How often the turn is looked up: it may end, and its session too, between two looks. */
const LOOKS_MAX = 4;

async function runTurn(ports: TurnPorts, request: OwnTurnRequest, sink: TurnSink): Promise<TurnResult> {
  const { query, sent } = request;
  const own = new OwnTurn(query.turnId, query.messageId ?? null);
  let last: TurnResult = { kind: 'refused', code: 'session_not_found' };
  if (sent !== null) {
    const { turn, message } = sent;
    last = await sendMessage(ports, turn, message, listenerOf(own, sink), ({ result }) => result);
    const isTaken = message.repeatable || own.hasBegun;
    if (!isLost(last) || !isTaken) return withText(last, own);
  }
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    const found = await lookUp(ports, query);
    if (found === null) return last;
    if ('code' in found) return found;
    sink.taken();
    const end = await replay(found, own, sink);
    if (end !== null) return end;
    if (found.state !== 'ended') last = await followLive(ports, request, found, own, sink);
    if (!isLost(last)) return withText(last, own);
  }
  return last;
}

async function lookUp(ports: TurnPorts, query: TurnQuery) {
  try {
    return await ports.longReads.read(() => findTurn(ports, query));
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refused', code: error.code } as const;
    throw error;
  }
}

async function replay(found: FoundTurn, own: OwnTurn, sink: TurnSink): Promise<TurnResult | null> {
  if (found.messageId !== null) own.nameMessage(found.messageId);
  const isRebuilt = found.state === 'ended' && found.isRebuilt;
  const frames = isRebuilt
    ? own.takeRebuilt(found.frames, sink.hasSeen)
    : found.frames.flatMap((frame) => own.take(frame) ?? []);
  if (isRebuilt) sink.startOver();
  if (!(await sink.replay(frames))) return { kind: 'refused', code: 'slow_consumer' };
  const ends = frames.flatMap((frame) => own.endIn(frame) ?? []);
  return ends.at(-1) ?? null;
}

function followLive(
  ports: TurnPorts,
  request: OwnTurnRequest,
  found: Exclude<FoundTurn, { readonly state: 'ended' }>,
  own: OwnTurn,
  sink: TurnSink,
): Promise<TurnResult> {
  const { query } = request;
  const { sessionId } = query;
  const conclude = async () => {
    const view = await ports.sessions.view(sessionId).catch(() => undefined);
    if (view === undefined) collector.end('store_unavailable');
    else if (view === null) collector.end('session_expired');
    else if (findUnderWay(view.context, found) === null) collector.concludeAt(view.head, 'duplicate_message'); // FOLLOW-1
  };
  const listener = listenerOf(own, sink);
  const collector = new TurnCollector(null, found.after, listener, () => void conclude(), found.turnId);
  const turn = {
    ...request,
    sessionId,
    participant: { ...query.participant, seesOwnOnly: true }, // FOLLOW-2
    isNew: false,
    arrival: {},
    note: () => {},
  };
  return whileAttached(ports, turn, found, collector, async () => {
    await conclude();
    return collector.result;
  });
}

function listenerOf(own: OwnTurn, sink: TurnSink): Listener {
  return {
    onFrame: (_, frame) => {
      const mine = own.take(frame);
      return mine === null || sink.live(mine);
    },
    onTaken: () => {
      if (own.hasBegun || own.isQueued) sink.taken();
    },
  };
}

/** The turn's end did not come this way; it may be in the log, the transcript or the archive. */
const LOST: ReadonlySet<string> = new Set([
  'duplicate_message',
  'session_expired',
  'session_not_found',
  // The session has a new owner: a socket would have to connect again, a reader of the log reads on.
  'session_moved',
]);

const isLost = (result: TurnResult): boolean => result.kind === 'refused' && LOST.has(result.code);

/** The collector may have missed a part of the text; the frames that passed have all of it. */
const withText = (result: TurnResult, own: OwnTurn): TurnResult =>
  result.kind === 'completed' ? { ...result, text: own.text } : result;
