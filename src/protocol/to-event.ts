/** toEvent turns a client's frame into an event of the machine, field by field: client JSON never passes as an event. */
import { randomUUID } from 'node:crypto';
import { tenantField } from '../../machines/tenant.ts';
import type { AttachRequest, OverlapPolicy, SessionEvent } from '../../machines/vocabulary.ts';
import { patientFromChat } from '../conversation/patient/patient.ts';
import type { Participant } from '../identity/acting-user.ts';
import type { ClientFrame, HelloFrame, MessageFrame, RegenerateFrame } from './client-frames.ts';
import { derivedUuid } from './derived-uuid.ts';

type MessageEvent = Extract<SessionEvent, { readonly type: 'message' }>;
type RegenerateEvent = Extract<SessionEvent, { readonly type: 'regenerate' }>;
/** Frames that become events of the machine. */
type EventFrame = Exclude<ClientFrame, { readonly type: 'hello' | 'fork' | 'authenticate' | 'ping' }>;

/** The values that toEvent adds to a frame. */
export interface Sender {
  readonly at: number;
  /** The user that the client acts for; null: it names none. */
  readonly userId: string | null;
  /** Absent or empty: the default tenant. */
  readonly tenant?: string;
  readonly defaultPolicy: OverlapPolicy;
}

export function toEvent(frame: EventFrame, sessionId: string, sender: Sender): SessionEvent {
  const from = authorOf(sender);
  switch (frame.type) {
    case 'message':
      return messageEvent(frame, sender);
    case 'cancel':
      return {
        type: 'cancel',
        ...from,
        ...(frame.turn_id === undefined ? {} : { turnId: frame.turn_id }),
        ...(frame.message_id === undefined ? {} : { messageId: frame.message_id }),
      };
    case 'regenerate':
      return regenerateEvent(frame, sessionId, sender);
    case 'extend':
      return { type: 'extend', ...from };
    case 'close':
      return { type: 'close', ...from, reason: 'closed' };
  }
}

/** The machine checks the author's access. An event without an author has full access, so a client's always has one. */
function authorOf({ at, userId, tenant }: Omit<Sender, 'defaultPolicy'>) {
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
  return {
    type: 'message',
    ...authorOf(sender),
    messageId: frame.id,
    turnId,
    content: frame.content ?? '',
    ...(patient === undefined ? {} : { patient }),
    policy: frame.policy ?? sender.defaultPolicy,
    ...requestOf(frame),
  };
}

/** The new turn's id follows from the request, so that the session recognises a repetition in its transcript. */
export function regenerateEvent(
  frame: Omit<RegenerateFrame, 'type'>,
  sessionId: string,
  sender: Omit<Sender, 'defaultPolicy'>,
): RegenerateEvent {
  return {
    type: 'regenerate',
    ...authorOf(sender),
    messageId: frame.id,
    turnId: derivedUuid('turn', sessionId, frame.id),
    ...(frame.turn_id === undefined ? {} : { from: frame.turn_id }),
    ...(frame.content === undefined ? {} : { content: frame.content }),
    ...requestOf(frame),
  };
}

function requestOf({
  options = {},
  instructions,
  tags,
}: Pick<MessageFrame, 'options' | 'instructions' | 'tags'>) {
  const { max_tokens, temperature, stop } = options;
  return {
    options: {
      ...(max_tokens === undefined ? {} : { maxTokens: max_tokens }),
      ...(temperature === undefined ? {} : { temperature }),
      ...(stop === undefined ? {} : { stop }),
    },
    ...(instructions === undefined ? {} : { instructions }),
    ...(tags === undefined ? {} : { tags }),
  };
}

/** The attach request of a hello. */
export function toAttachRequest(hello: HelloFrame, { userId, tenant, isProven }: Participant): AttachRequest {
  const { client_id, diagnosis_id, patient, tags } = hello;
  return {
    ...(client_id === undefined ? {} : { clientId: client_id }),
    ...(userId === null ? {} : { userId }),
    ...tenantField(tenant),
    ...(isProven ? { isProven: true } : {}),
    ...(diagnosis_id === undefined ? {} : { diagnosisId: diagnosis_id }),
    ...(tags === undefined ? {} : { tags }),
    ...(patient === undefined
      ? {}
      : { patient: patientFromChat(patient), addsOnly: hello.after !== undefined }),
  };
}
