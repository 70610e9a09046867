/** The transcript as turns, and turns as messages. A turn enters whole or not at all. */
import type { Message } from '../../generation/port.ts';
import type { TranscriptEntry } from '../../store/contract.ts';

export interface PastTurn {
  readonly id: string;
  readonly question: string;
  /** null: it failed or was cancelled before its first word. */
  readonly answer: string | null;
}

export interface Told {
  /** Oldest first, without the turn that is to be answered. */
  readonly past: readonly PastTurn[];
  readonly question: string;
  /** Turns of which only an answer is known: no message may begin with one, so they cannot enter. */
  readonly headless: readonly string[];
}

export function readTurns(transcript: readonly TranscriptEntry[], currentId: string): Told {
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
    headless: others.filter((id) => !questions.has(id)),
  };
}

/**
 * Roles alternate: many chat templates refuse two user messages in a row. So the question of a turn without an
 * answer goes before the next one, in the same message.
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
