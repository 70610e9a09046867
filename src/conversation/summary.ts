/** Writes the background call that summarises turns for later prompts, and bounds the notes that it returns. */
import type { Message } from '../generation/port.ts';
import { cutMiddle, MARK_CHARS } from './cut.ts';
import type { SummaryCall } from './port.ts';
import { estimatePrompt, estimateTokens } from './tokens/token-counter.ts';
import type { PastTurn } from './window/turns.ts';

/** For the options of the summary call. */
export const SUMMARY_MAX_TOKENS = 400;
/** Longer answers are cut to this. */
export const SUMMARY_MAX_CHARS = 2_400;

const TASK = [
  'You keep the notes of a clinical conversation. Write down what later turns must know, in at most 200 words.',
  'Keep every allergy, diagnosis, medication with its dose, measured value with its unit and time, result,',
  'decision and open question. Where something was corrected, keep only what holds. Leave out courtesies and',
  'explanations. Add nothing that was not said. Answer with the notes alone.',
].join('\n');

/** Of each turn at most this much is read: one pasted report must not crowd out the other turns. */
const TURN_MAX_CHARS = 6_000;

/**
 * Takes the oldest turns that fit `budgetTokens`, one at least; the next summary takes the rest. The earlier summary
 * goes in, so that each summary covers the whole conversation up to `through`.
 */
export function summaryCall(
  earlier: string | null,
  turns: readonly PastTurn[],
  budgetTokens: number,
): SummaryCall | null {
  const notes: string[] = earlier === null ? [] : [`Notes so far:\n${boundSummary(earlier)}`];
  let left = budgetTokens - estimatePrompt(messagesWith(notes));
  let through: string | null = null;
  for (const turn of turns) {
    const text = turnText(turn, TURN_MAX_CHARS);
    const cost = estimateTokens(text) + 2;
    if (cost > left && through !== null) break;
    notes.push(cost > left ? turnText(turn, Math.max(200, left)) : text);
    left -= cost;
    through = turn.id;
  }
  return through === null ? null : { through, messages: messagesWith(notes) };
}

function messagesWith(notes: readonly string[]): readonly Message[] {
  return [
    { role: 'system', content: TASK },
    { role: 'user', content: [...notes, 'Write the notes now.'].join('\n\n') },
  ];
}

function turnText(turn: PastTurn, maxChars: number): string {
  const half = Math.floor(maxChars / 2);
  const asked = `Clinician: ${cutMiddle(turn.question, half)}`;
  return turn.answer === null ? asked : `${asked}\nAssistant: ${cutMiddle(turn.answer, half)}`;
}

/** Cuts the notes of a model that ignores "200 words": they would fill the room that a summary saves. */
export function boundSummary(content: string): string {
  // With room for the mark: bounding twice must change nothing.
  const notes = content.trim();
  return notes.length <= SUMMARY_MAX_CHARS ? notes : cutMiddle(notes, SUMMARY_MAX_CHARS - MARK_CHARS);
}

export function summaryBlock(content: string): string {
  return `Earlier in this conversation:\n${boundSummary(content)}`;
}
