/** Takes part in one turn of a session: joins like a socket does, sends its message or only listens, and leaves. */
import { type Match, matchOf } from '../../../machines/message-id.ts';
import type { OverlapPolicy, SessionContext, SessionEvent } from '../../../machines/vocabulary.ts';
import type { Audit, AuditAction, AuditOutcome } from '../../audit/audit.ts';
import { pictureOf } from '../../conversation/patient/patient.ts';
import { attachClient, detachClient, type SessionServices } from '../../delivery/attach-client.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Limits } from '../../limits/limits.ts';
import type { HelloFrame } from '../../protocol/client-frames.ts';
import { messageEvent } from '../../protocol/to-event.ts';
import { wordOf } from '../../session/machine/outcome.ts';
import type { ProtocolRequest, TurnInput } from './protocol-request.ts';
import { type Listener, TurnCollector, type TurnResult } from './turn-collector.ts';

export interface ProtocolPorts {
  readonly services: SessionServices;
  readonly audit: Audit | null;
  readonly defaultPolicy: OverlapPolicy;
  /** Why nothing can be taken now, or null. */
  readonly unavailable: () => ErrorCode | null;
  /** How long a client that is sent away should wait, spread so that not all come back at once. */
  readonly retryAfterMs: () => number;
  readonly limits: Limits;
}

/** One client's part in a turn. */
export interface TurnRequest extends TurnInput {
  /** Runs once the client is gone; its turn goes on. */
  readonly onGone: (task: () => void) => void;
  readonly failed: (error: unknown) => void;
  /** For the audit log. */
  readonly note: (action: AuditAction, outcome: AuditOutcome) => void;
  /** Told where there was no such session. */
  readonly onUnknown: () => void;
}

/** `listen` makes what hears the frames; it is asked again where the message turns out to have been taken before. */
export async function joinTurn(
  ports: ProtocolPorts,
  visit: TurnRequest,
  listen: () => Listener,
): Promise<TurnResult> {
  const { message, sessionId, body } = visit;
  if (message.kind === 'listen') {
    const gone = await whyNothingToHear(ports, sessionId);
    if (gone === null) return hear(ports, visit, null, message.after, listen());
    visit.note('resumed', gone.code);
    return gone;
  }
  const first = await attend(ports, visit, message.id, null, listen(), async (collector) => {
    const { sessions, instance } = ports.services;
    const event = toMessageEvent(ports, body, message.id);
    const outcome = await sessions.send(sessionId, event, { instance, connection: collector.id });
    visit.note('message', wordOf(outcome));
    if (outcome.kind === 'refused') return outcome;
    const result = await collector.result;
    const isForbidden = result.kind === 'refused' && result.code === 'forbidden';
    if (outcome.kind === 'passed' && isForbidden) visit.note('message', 'forbidden');
    return result;
  });
  if (first.kind !== 'refused' || first.code !== 'duplicate_message' || !message.repeatable) return first;
  // The first request with this key took the message: its turn is in the log, or waits, or is running.
  return hear(ports, { ...visit, note: () => {} }, message.id, 0, listen());
}

/** A session is not begun by who has nothing to say in it. */
async function whyNothingToHear({ services: { sessions } }: ProtocolPorts, sessionId: string) {
  const view = await sessions.view(sessionId).catch(() => undefined);
  if (view === undefined) return { kind: 'refused', code: 'store_unavailable' } as const;
  return view === null ? ({ kind: 'refused', code: 'session_not_found' } as const) : null;
}

/** Only listens, from `after` on. */
function hear(
  ports: ProtocolPorts,
  visit: TurnRequest,
  messageId: string | null,
  after: number,
  listener: Listener,
): Promise<TurnResult> {
  return attend(ports, visit, messageId, after, listener, async (collector) => {
    await concludeIfOver(ports, visit.sessionId, messageId, collector);
    return collector.result;
  });
}

async function attend(
  ports: ProtocolPorts,
  visit: TurnRequest,
  messageId: string | null,
  after: number | null,
  listener: Listener,
  task: (collector: TurnCollector) => Promise<TurnResult>,
): Promise<TurnResult> {
  const collector = new TurnCollector(messageId, after ?? 0, listener, () => {
    // The log was trimmed or lost: what it had of the turn may be gone with it, and would be waited for in vain.
    void concludeIfOver(ports, visit.sessionId, messageId, collector);
  });
  visit.onGone(() => collector.end('slow_consumer'));
  let isAdmitted = false;
  const greeting = await attachClient(ports.services, hello(visit, after), collector, (_, created) => {
    isAdmitted = true;
    visit.note(created ? 'created' : 'resumed', 'ok');
    if (created) visit.onUnknown();
  });
  if (greeting.kind === 'refused') {
    const wanted = visit.body.session_id === undefined ? 'created' : 'resumed';
    if (!isAdmitted) visit.note(wanted, greeting.code);
    return greeting;
  }
  try {
    return await task(collector);
  } finally {
    // The answer is there: that its reader's leaving could not be recorded must not take it away.
    await detachClient(ports.services, greeting.subscription).catch(visit.failed);
  }
}

async function concludeIfOver(
  { services: { sessions } }: ProtocolPorts,
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

/** How the turns that run or wait relate to the message; without one, any turn will do. */
function matchUnderWay({ turn, queue }: SessionContext, messageId: string | null): Match {
  const waiting = [...(turn === null ? [] : [turn]), ...queue];
  if (messageId === null) return waiting.length > 0 ? 'same' : 'none';
  return matchOf(
    messageId,
    waiting.flatMap((one) => one.messageIds),
  );
}

function hello({ body, sessionId }: TurnRequest, after: number | null): HelloFrame {
  const { client_id, user_id, diagnosis_id } = body;
  return {
    type: 'hello',
    session_id: sessionId,
    ...(after === null ? {} : { after }),
    ...(client_id === undefined ? {} : { client_id }),
    ...(user_id === undefined ? {} : { user_id }),
    ...(diagnosis_id === undefined ? {} : { diagnosis_id }),
  };
}

function toMessageEvent(ports: ProtocolPorts, body: ProtocolRequest, messageId: string): SessionEvent {
  const { age, gender, chief_complaint, past_medical_history, vitals, policy, options } = body;
  const patient = pictureOf({ age, gender, chief_complaint, past_medical_history, vitals });
  const sender = {
    at: ports.services.clock.now(),
    userId: body.user_id ?? null,
    defaultPolicy: ports.defaultPolicy,
  };
  return messageEvent({ id: messageId, policy, options }, sender, patient);
}
