/** Reads a transcript as turns, and turns as messages. */
import type { Message } from '../../generation/port.ts';
import type { TranscriptEntry } from '../../store/contract.ts';

export interface PastTurn {
  readonly id: string;
  readonly question: string;
  /** null: the turn failed or was cancelled before its first word. */
  readonly answer: string | null;
}

export interface TranscriptTurns {
  /** Oldest first, without the current turn. */
  readonly past: readonly PastTurn[];
  readonly question: string;
  /** Ids of turns with an answer alone: no conversation may begin with one, so they cannot enter a prompt. */
  readonly withoutQuestion: readonly string[];
}

export function readTurns(transcript: readonly TranscriptEntry[], currentId: string): TranscriptTurns {
  const questions = new Map<string, string>();
  const answers = new Map<string, string>();
  const ids: string[] = [];
  for (const { role, content, turnId } of transcript) {
    if (!questions.has(turnId) && !answers.has(turnId)) ids.push(turnId);
    const side = role === 'user' ? questions : answers;
    const before = side.get(turnId);
    side.set(turnId, before === undefined ? content : `${before}\n\n${content}`);
  }
  const others = ids.filter((id) => id !== currentId);
  const past = others.flatMap((id) => {
    const question = questions.get(id);
    return question === undefined ? [] : [{ id, question, answer: answers.get(id) ?? null }];
  });
  return {
    past,
    question: questions.get(currentId) ?? '',
    withoutQuestion: others.filter((id) => !questions.has(id)),
  };
}

/**
 * Roles alternate, because many chat templates refuse two user messages in a row. So an unanswered question goes before
 * the next one, in the same message.
 */
export function messagesOf(
  system: string | null,
  turns: readonly PastTurn[],
  question: string,
): readonly Message[] {
  const messages: Message[] = system === null ? [] : [{ role: 'system', content: system }];
  let waiting: string[] = [];
  for (const turn of turns) {
    waiting.push(turn.question);
    if (turn.answer === null) continue;
    messages.push({ role: 'user', content: waiting.join('\n\n') });
    messages.push({ role: 'assistant', content: turn.answer });
    waiting = [];
  }
  messages.push({ role: 'user', content: [...waiting, question].join('\n\n') });
  return messages;
}

export function ownMessages(turn: PastTurn): readonly Message[] {
  const asked: Message = { role: 'user', content: turn.question };
  return turn.answer === null ? [asked] : [asked, { role: 'assistant', content: turn.answer }];
}

export function bytesOf(turn: PastTurn): number {
  return Buffer.byteLength(turn.question) + Buffer.byteLength(turn.answer ?? '');
}
