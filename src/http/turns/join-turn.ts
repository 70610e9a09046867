/** Joins a session for one turn: attaches like a socket, sends its message or only listens, and detaches. */
import { type Match, matchOf } from '../../../machines/message-id.ts';
import type { SessionContext, SessionEvent } from '../../../machines/vocabulary.ts';
import type { AuditAction, AuditOutcome } from '../../audit/audit.ts';
import { pictureOf } from '../../conversation/patient/patient.ts';
import { attachClient, detachClient } from '../../delivery/attach-client.ts';
import type { HelloFrame } from '../../protocol/client-frames.ts';
import { messageEvent } from '../../protocol/to-event.ts';
import { wordOf } from '../../session/machine/outcome.ts';
import type { HttpPorts } from '../core/ports.ts';
import type { TurnInput } from './protocol-request.ts';
import { type Listener, TurnCollector, type TurnResult } from './turn-collector.ts';

/** One client's request for a turn. */
export interface TurnRequest extends TurnInput {
  /** Runs `task` if the client disconnects; its turn goes on. */
  readonly onGone: (task: () => void) => void;
  /** Runs `task` once the client's credential has ended, until the returned function is called. */
  readonly whenIdentityEnds: (task: () => void) => () => void;
  readonly failed: (error: unknown) => void;
  /** Writes to the audit log. */
  readonly note: (action: AuditAction, outcome: AuditOutcome) => void;
  /** Called if there was no session with this id. */
  readonly onUnknown: () => void;
}

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
  const first = await whileAttached(ports, turn, message.id, null, listen(), async (collector) => {
    const { sessions, instance } = ports;
    const event = toMessageEvent(ports, turn, message.id);
    const outcome = await sessions.send(sessionId, event, { instance, connection: collector.id });
    turn.note('message', wordOf(outcome));
    if (outcome.kind === 'refused') return outcome;
    const result = await collector.result;
    const isForbidden = result.kind === 'refused' && result.code === 'forbidden';
    if (outcome.kind === 'passed' && isForbidden) turn.note('message', 'forbidden');
    return result;
  });
  if (first.kind !== 'refused' || first.code !== 'duplicate_message' || !message.repeatable) return first;
  // An earlier request with this key sent the message: its turn has ended, waits, or runs.
  return follow(ports, { ...turn, note: () => {} }, message.id, 0, listen());
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
  return whileAttached(ports, turn, messageId, after, listener, async (collector) => {
    await concludeIfOver(ports, turn.sessionId, messageId, collector);
    return collector.result;
  });
}

async function whileAttached(
  ports: HttpPorts,
  turn: TurnRequest,
  messageId: string | null,
  after: number | null,
  listener: Listener,
  task: (collector: TurnCollector) => Promise<TurnResult>,
): Promise<TurnResult> {
  const collector = new TurnCollector(messageId, after ?? 0, listener, () => {
    // The log was trimmed or lost, perhaps with the end of the turn: the collector would wait in vain.
    void concludeIfOver(ports, turn.sessionId, messageId, collector);
  });
  turn.onGone(() => collector.end('slow_consumer'));
  let isAdmitted = false;
  const { participant, isNew } = turn;
  const arrival = { hello: hello(turn, after), participant, isNew };
  const attachment = await attachClient(ports, arrival, collector, (_, created) => {
    isAdmitted = true;
    turn.note(created ? 'created' : 'resumed', 'ok');
    if (created) turn.onUnknown();
  });
  if (attachment.kind === 'refused') {
    const wanted = turn.body.session_id === undefined ? 'created' : 'resumed';
    if (!isAdmitted) turn.note(wanted, attachment.code);
    return attachment;
  }
  const stopWatching = turn.whenIdentityEnds(() => collector.end('identity_ended'));
  try {
    return await task(collector);
  } finally {
    stopWatching();
    // A failed detach must not replace the answer.
    await detachClient(ports, attachment.subscription).catch(turn.failed);
  }
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

function hello({ body, sessionId }: TurnRequest, after: number | null): HelloFrame {
  const { client_id, diagnosis_id } = body;
  return {
    type: 'hello',
    session_id: sessionId,
    ...(after !== null && { after }),
    ...(client_id !== undefined && { client_id }),
    ...(diagnosis_id !== undefined && { diagnosis_id }),
  };
}

function toMessageEvent(ports: HttpPorts, { body, participant }: TurnInput, messageId: string): SessionEvent {
  const { age, gender, chief_complaint, past_medical_history, vitals, policy, options } = body;
  const patient = pictureOf({ age, gender, chief_complaint, past_medical_history, vitals });
  const { clock, defaultPolicy } = ports;
  const { userId, tenant } = participant;
  const sender = { at: clock.now(), userId, tenant, defaultPolicy };
  return messageEvent({ id: messageId, policy, options }, sender, patient);
}
