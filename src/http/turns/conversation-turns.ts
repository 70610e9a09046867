/** conversationTurns groups the lines of a conversation, from a transcript or the archive, into questions and answers. */
import type { ConversationTurn } from './rebuilt-turn.ts';

interface Line {
  readonly role: 'user' | 'assistant' | 'summary';
  readonly content: string;
  readonly turnId: string;
  readonly at: number;
  readonly author?: string | null;
  readonly simulated?: boolean;
}

/** In the order of the questions. */
export function conversationTurns(lines: readonly Line[]): readonly ConversationTurn[] {
  const turns = new Map<string, ConversationTurn>();
  for (const { role, content, turnId, at, author = null, simulated = false } of lines) {
    const turn = turns.get(turnId);
    if (role === 'user') turns.set(turnId, { turnId, question: { content, at, author }, answer: null });
    else if (role === 'assistant' && turn !== undefined)
      turns.set(turnId, { ...turn, answer: { content, at, isSimulated: simulated } });
  }
  return [...turns.values()];
}
