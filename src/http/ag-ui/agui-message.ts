/** The messages of a conversation, as AG-UI and as TanStack AI have them. */
import { z } from 'zod';
import { answerIdOf, questionIdOf } from '../chats/chat-ids.ts';
import type { Conversation } from '../turns/read-turns.ts';
import type { AgUiMessage } from './agui-event.ts';

const messageSchema = z
  .strictObject({
    id: z.string(),
    role: z.enum(['user', 'assistant']),
    content: z.string().describe('the text, where AG-UI has it'),
    parts: z
      .array(z.strictObject({ type: z.literal('text'), content: z.string() }))
      .describe('the text, where TanStack AI has it'),
    createdAt: z.iso.datetime(),
    metadata: z
      .strictObject({ simulated: z.literal(true) })
      .optional()
      .describe('The answer came from the simulator and means nothing.'),
  })
  .meta({ id: 'AgUiMessage' });

export const threadSchema = z
  .strictObject({
    messages: z.array(messageSchema).describe('without the running answer, which the run has'),
    activeRun: z
      .strictObject({ runId: z.string() })
      .nullable()
      .describe('the run to join: the answer that runs, else the first that waits'),
    interrupts: z.null().describe('always null: no run waits for an approval'),
  })
  .meta({ id: 'AgUiThread' });

type Message = z.infer<typeof messageSchema>;

/** Without the running answer: a client gets it from the run, and would show it twice. */
export function messagesOf({ turns, runningTurnId }: Conversation): readonly Message[] {
  return turns.flatMap(({ turnId, question, answer }) => {
    const asked = messageOf(questionIdOf(turnId), 'user', question);
    if (answer === null || turnId === runningTurnId) return [asked];
    const mark = answer.isSimulated ? { metadata: { simulated: true as const } } : {};
    return [asked, { ...messageOf(answerIdOf(turnId), 'assistant', answer), ...mark }];
  });
}

function messageOf(
  id: string,
  role: Message['role'],
  { content, at }: { readonly content: string; readonly at: number },
): Message {
  const createdAt = new Date(at).toISOString();
  return { id, role, content, parts: [{ type: 'text', content }], createdAt };
}

/**
 * The messages of the turns before `turnId` that the client did not send: it may keep all of them, or send the newest only.
 * Each question that it sent stands for one turn.
 */
export function earlierMessages(
  conversation: Conversation | null,
  turnId: string,
  asked: readonly AgUiMessage[],
): readonly AgUiMessage[] {
  if (conversation === null) return [];
  const { turns } = conversation;
  const own = turns.findIndex((turn) => turn.turnId === turnId);
  const before = turns.slice(0, own === -1 ? turns.length : own);
  const sent = asked.slice(0, -1).filter(({ role }) => role === 'user').length;
  const unsent = before.slice(0, Math.max(0, before.length - sent));
  return messagesOf({ ...conversation, turns: unsent }).map(({ id, role, content }) => ({
    id,
    role,
    content,
  }));
}
