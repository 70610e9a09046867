/** UiMessage is a message of a chat's history, as pages of the AI SDK load it. */
import { z } from 'zod';
import { answerIdOf, questionIdOf } from '../chats/chat-ids.ts';
import type { Conversation } from '../turns/read-turns.ts';

export const uiMessageSchema = z
  .strictObject({
    id: z.string(),
    role: z.enum(['user', 'assistant']),
    parts: z.array(
      z.strictObject({ type: z.literal('text'), text: z.string(), state: z.literal('done').optional() }),
    ),
    metadata: z
      .strictObject({ simulated: z.literal(true) })
      .optional()
      .describe('The answer came from the simulator and means nothing.'),
  })
  .meta({ id: 'UIMessage' });

type UiMessage = z.infer<typeof uiMessageSchema>;

/** Without the running answer: the page gets it from the stream, and would show it twice. */
export function uiMessages({ turns, runningTurnId }: Conversation): readonly UiMessage[] {
  return turns.flatMap(({ turnId, question, answer }) => {
    const asked: UiMessage = {
      id: questionIdOf(turnId),
      role: 'user',
      parts: [{ type: 'text', text: question.content }],
    };
    if (answer === null || turnId === runningTurnId) return [asked];
    const answered: UiMessage = {
      id: answerIdOf(turnId),
      role: 'assistant',
      parts: [{ type: 'text', text: answer.content, state: 'done' }],
      ...(answer.isSimulated ? { metadata: { simulated: true } } : {}),
    };
    return [asked, answered];
  });
}
