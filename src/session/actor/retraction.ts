/** Completes events that depend on the transcript: `regenerate` takes turns back, and a summary must not outlive its turns. */
import type { Retraction, SessionEvent } from '../../../machines/vocabulary.ts';
import type { TranscriptEntry } from '../../store/contract.ts';

type RegenerateEvent = Extract<SessionEvent, { readonly type: 'regenerate' }>;

export type TranscriptEvent = Extract<SessionEvent, { readonly type: 'regenerate' | 'summarised' }>;

/**
 * Null: the event is outdated. The model may still write a summary when a client takes its turns back; stored after that,
 * it would bring their words into every later prompt.
 */
export function withTranscript(
  event: TranscriptEvent,
  transcript: readonly TranscriptEntry[],
): TranscriptEvent | null {
  if (event.type === 'regenerate') return withRetraction(event, transcript);
  return transcript.some(({ turnId }) => turnId === event.through) ? event : null;
}

function withRetraction(event: RegenerateEvent, transcript: readonly TranscriptEntry[]): RegenerateEvent {
  const questions = transcript.filter(({ role }) => role === 'user');
  const isRepeat = questions.some(({ turnId }) => turnId === event.turnId);
  const from =
    event.from === undefined
      ? questions.length - 1
      : questions.findIndex(({ turnId }) => turnId === event.from);
  const retraction = from < 0 ? null : retractionOf(questions.slice(from));
  return {
    ...event,
    ...(retraction === null ? {} : { retraction }),
    ...(isRepeat ? { isRepeat } : {}),
  };
}

function retractionOf(questions: readonly TranscriptEntry[]): Retraction | null {
  const [first] = questions;
  if (first === undefined) return null;
  const { content, author = null } = first;
  return {
    turnIds: questions.map(({ turnId }) => turnId),
    content,
    author,
    isOneAuthor: questions.every((one) => (one.author ?? null) === author),
  };
}
