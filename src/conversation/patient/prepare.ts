/**
 * An event as the session keeps it: patient data becomes the whole picture so far, and a message of data alone gets a
 * question in words. The actor calls this when the event's turn comes, so that earlier data is in the picture.
 */
import type { SessionContext, SessionEvent } from '../../../machines/vocabulary.ts';
import { mergePatient, readPatient } from './patient.ts';
import { questionOf } from './patient-text.ts';

export function prepare(event: SessionEvent, context: SessionContext): SessionEvent {
  if ((event.type !== 'message' && event.type !== 'attach') || event.patient === undefined) return event;
  const known = readPatient(context.patient);
  const news = readPatient(event.patient);
  if (event.type === 'attach') {
    // A client repeats its hello at each reconnect: what it said first must not take back what was said since.
    const patient = event.addsOnly === true ? mergePatient(news, known) : mergePatient(known, news);
    return { ...event, patient };
  }
  return {
    ...event,
    patient: mergePatient(known, news),
    content: event.content === '' ? questionOf(news, context.turnCount > 0) : event.content,
  };
}
