/** toEvent turns a client's frame into an event of the machine, field by field: client JSON never passes as an event. */
import { randomUUID } from 'node:crypto';
import { tenantField } from '../../machines/tenant.ts';
import type { AttachRequest, OverlapPolicy, SessionEvent } from '../../machines/vocabulary.ts';
import { patientFromChat } from '../conversation/patient/patient.ts';
import type { Participant } from '../identity/acting-user.ts';
import type { ClientFrame, HelloFrame, MessageFrame } from './client-frames.ts';

type MessageEvent = Extract<SessionEvent, { readonly type: 'message' }>;
/** Frames that become events of the machine. */
type EventFrame = Exclude<ClientFrame, { readonly type: 'hello' | 'authenticate' | 'ping' }>;

/** The values that toEvent adds to a frame. */
export interface Sender {
  readonly at: number;
  /** The user that the client acts for; null: it names none. */
  readonly userId: string | null;
  /** Absent or empty: the default tenant. */
  readonly tenant?: string;
  readonly defaultPolicy: OverlapPolicy;
}

export function toEvent(frame: EventFrame, sender: Sender): SessionEvent {
  const from = authorOf(sender);
  switch (frame.type) {
    case 'message':
      return messageEvent(frame, sender);
    case 'cancel':
      return { type: 'cancel', ...from, ...(frame.turn_id === undefined ? {} : { turnId: frame.turn_id }) };
    case 'extend':
      return { type: 'extend', ...from };
    case 'close':
      return { type: 'close', ...from, reason: 'closed' };
  }
}

/** The machine checks the author's access. An event without an author has full access, so a client's always has one. */
function authorOf({ at, userId, tenant }: Sender) {
  return { at, author: userId, ...tenantField(tenant) };
}

/**
 * The event of a message. `patient` is parsed patient data; by default it comes from the frame. A caller that repeats
 * requests derives `turnId` from the message, so that it finds the turn again.
 */
export function messageEvent(
  frame: Omit<MessageFrame, 'type'>,
  sender: Sender,
  patient = frame.patient === undefined ? undefined : patientFromChat(frame.patient),
  turnId: string = randomUUID(),
): MessageEvent {
  const { max_tokens, temperature, stop } = frame.options ?? {};
  return {
    type: 'message',
    ...authorOf(sender),
    messageId: frame.id,
    turnId,
    content: frame.content ?? '',
    ...(patient === undefined ? {} : { patient }),
    policy: frame.policy ?? sender.defaultPolicy,
    options: {
      ...(max_tokens === undefined ? {} : { maxTokens: max_tokens }),
      ...(temperature === undefined ? {} : { temperature }),
      ...(stop === undefined ? {} : { stop }),
    },
  };
}

/** The attach request of a hello. */
export function toAttachRequest(hello: HelloFrame, { userId, tenant, isProven }: Participant): AttachRequest {
  const { client_id, diagnosis_id, patient } = hello;
  return {
    ...(client_id === undefined ? {} : { clientId: client_id }),
    ...(userId === null ? {} : { userId }),
    ...tenantField(tenant),
    ...(isProven ? { isProven: true } : {}),
    ...(diagnosis_id === undefined ? {} : { diagnosisId: diagnosis_id }),
    ...(patient === undefined
      ? {}
      : { patient: patientFromChat(patient), addsOnly: hello.after !== undefined }),
  };
}
