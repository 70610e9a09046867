/**
 * A message as the session keeps it: patient data becomes the whole picture so far, and where the client sent data
 * alone, a question in words. Done when the message's turn comes, so that what came before it is in the picture.
 */
import type { SessionContext, SessionEvent } from '../../machines/vocabulary.ts';
import { mergePatient, readPatient } from './patient.ts';
import { questionOf } from './patient-text.ts';

export function prepare(event: SessionEvent, context: SessionContext): SessionEvent {
  if (event.type !== 'message' || event.patient === undefined) return event;
  const news = readPatient(event.patient);
  return {
    ...event,
    patient: mergePatient(readPatient(context.patient), news),
    content: event.content === '' ? questionOf(news, context.turnCount > 0) : event.content,
  };
}
