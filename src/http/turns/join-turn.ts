/** Joins a session for one turn: attaches like a socket, sends its message or only listens, and detaches. */
import { type Match, matchOf } from '../../../machines/message-id.ts';
import type { SessionContext } from '../../../machines/vocabulary.ts';
import { wordOf } from '../../session/machine/outcome.ts';
import type { HttpPorts } from '../core/ports.ts';
import { whileAttached } from './attach-turn.ts';
import { type Listener, TurnCollector, type TurnResult } from './turn-collector.ts';
import type { SentMessage, TurnRequest } from './turn-request.ts';

/** Calls `listen` once, and again if the session had taken the message before. */
export async function joinTurn(
  ports: HttpPorts,
  turn: TurnRequest,
  listen: () => Listener,
): Promise<TurnResult> {
  const { message, sessionId } = turn;
  if (message.kind === 'listen') {
    const gone = await whyUnavailable(ports, sessionId);
    if (gone === null) return follow(ports, turn, null, message.after, listen());
    turn.note('resumed', gone.code);
    return gone;
  }
  const first = await sendMessage(ports, turn, message, listen(), ({ result }) => result);
  if (first.kind !== 'refused' || first.code !== 'duplicate_message' || !message.repeatable) return first;
  // An earlier request with this key sent the message: its turn has ended, waits, or runs.
  return follow(ports, { ...turn, note: () => {} }, message.id, 0, listen());
}

/** Sends the message and waits for what `until` waits for: the collector's result, or less. */
export function sendMessage<T extends TurnResult | null>(
  ports: HttpPorts,
  turn: TurnRequest,
  message: SentMessage,
  listener: Listener,
  until: (collector: TurnCollector) => Promise<T>,
): Promise<T | TurnResult> {
  const { sessions, instance, clock, defaultPolicy } = ports;
  const { sessionId, participant } = turn;
  const collector = new TurnCollector(message.id, 0, listener, () => {
    // The log was trimmed or lost, perhaps with the end of the turn: the collector would wait in vain.
    void concludeIfOver(ports, sessionId, message.id, collector);
  });
  return whileAttached<T | TurnResult>(ports, turn, null, collector, async () => {
    const { userId, tenant } = participant;
    const event = message.event({ at: clock.now(), userId, tenant, defaultPolicy });
    const outcome = await sessions.send(sessionId, event, { instance, connection: collector.id });
    turn.note('message', wordOf(outcome));
    if (outcome.kind === 'refused') return outcome;
    const result = await until(collector);
    const isForbidden = result?.kind === 'refused' && result.code === 'forbidden';
    if (outcome.kind === 'passed' && isForbidden) turn.note('message', 'forbidden');
    return result;
  });
}

/** A request without a message must not create a session. */
async function whyUnavailable({ sessions }: HttpPorts, sessionId: string) {
  const view = await sessions.view(sessionId).catch(() => undefined);
  if (view === undefined) return { kind: 'refused', code: 'store_unavailable' } as const;
  return view === null ? ({ kind: 'refused', code: 'session_not_found' } as const) : null;
}

/** Follows the turn from `after` on, without a message. */
function follow(
  ports: HttpPorts,
  turn: TurnRequest,
  messageId: string | null,
  after: number,
  listener: Listener,
): Promise<TurnResult> {
  const conclude = () => concludeIfOver(ports, turn.sessionId, messageId, collector);
  const collector = new TurnCollector(messageId, after, listener, () => void conclude());
  return whileAttached(ports, turn, { after, epoch: null }, collector, async () => {
    await conclude();
    return collector.result;
  });
}

async function concludeIfOver(
  { sessions }: HttpPorts,
  sessionId: string,
  messageId: string | null,
  collector: TurnCollector,
): Promise<void> {
  const view = await sessions.view(sessionId).catch(() => undefined);
  if (view === undefined) collector.end('store_unavailable');
  else if (view === null) collector.end('session_expired');
  else {
    const match = matchUnderWay(view.context, messageId);
    if (match === 'other request') collector.end('idempotency_mismatch');
    if (match === 'none') collector.concludeAt(view.head, 'duplicate_message');
  }
}

/** Whether a running or waiting turn answers the message; without a message any turn does. */
function matchUnderWay({ turn, queue }: SessionContext, messageId: string | null): Match {
  const messageIds = [...(turn === null ? [] : [turn]), ...queue].flatMap((one) => one.messageIds);
  if (messageId !== null) return matchOf(messageId, messageIds);
  return turn !== null || queue.length > 0 ? 'same' : 'none';
}
