/** toEvent turns a client's frame into an event of the machine, field by field: client JSON never passes as an event. */
import { randomUUID } from 'node:crypto';
import type { AttachRequest, OverlapPolicy, SessionEvent } from '../../machines/vocabulary.ts';
import { patientFromChat } from '../conversation/patient/patient.ts';
import type { ClientFrame, HelloFrame, MessageFrame } from './client-frames.ts';

type MessageEvent = Extract<SessionEvent, { readonly type: 'message' }>;
/** Frames that become events of the machine. */
type EventFrame = Exclude<ClientFrame, { readonly type: 'hello' | 'ping' }>;

/** The values that toEvent adds to a frame. */
export interface Sender {
  readonly at: number;
  readonly userId: string | null;
  readonly defaultPolicy: OverlapPolicy;
}

export function toEvent(frame: EventFrame, sender: Sender): SessionEvent {
  const { at } = sender;
  switch (frame.type) {
    case 'message':
      return messageEvent(frame, sender);
    case 'cancel':
      return { type: 'cancel', at, ...(frame.turn_id === undefined ? {} : { turnId: frame.turn_id }) };
    case 'extend':
      return { type: 'extend', at };
    case 'close':
      return { type: 'close', at, reason: 'closed' };
  }
}

/** The event of a message. `patient` is parsed patient data; by default it comes from the frame. */
export function messageEvent(
  frame: Omit<MessageFrame, 'type'>,
  { at, userId, defaultPolicy }: Sender,
  patient = frame.patient === undefined ? undefined : patientFromChat(frame.patient),
): MessageEvent {
  const { max_tokens, temperature, stop } = frame.options ?? {};
  return {
    type: 'message',
    at,
    messageId: frame.id,
    turnId: randomUUID(),
    content: frame.content ?? '',
    author: userId,
    ...(patient === undefined ? {} : { patient }),
    policy: frame.policy ?? defaultPolicy,
    options: {
      ...(max_tokens === undefined ? {} : { maxTokens: max_tokens }),
      ...(temperature === undefined ? {} : { temperature }),
      ...(stop === undefined ? {} : { stop }),
    },
  };
}

/** The attach request of a hello. */
export function toAttachRequest(hello: HelloFrame): AttachRequest {
  const { client_id, user_id, diagnosis_id, patient } = hello;
  return {
    ...(client_id === undefined ? {} : { clientId: client_id }),
    ...(user_id === undefined ? {} : { userId: user_id }),
    ...(diagnosis_id === undefined ? {} : { diagnosisId: diagnosis_id }),
    ...(patient === undefined
      ? {}
      : { patient: patientFromChat(patient), addsOnly: hello.after !== undefined }),
  };
}
