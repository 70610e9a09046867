/** Parses `POST /api/chat`, which the transports of the AI SDK 5, 6 and 7 send. */
import { z } from 'zod';
import { generationOptionsSchema } from '../../protocol/client-frames.ts';
import { Refusal } from '../core/answer.ts';
import { parseBody } from '../core/request.ts';

/** Each version of the AI SDK knows other parts, and a page may add its own fields. */
const questionSchema = z.looseObject({
  id: z.string().optional(),
  role: z.string(),
  parts: z.array(z.looseObject({ type: z.string(), text: z.string().optional() })).optional(),
});

export const chatRequestSchema = z
  .looseObject({
    id: z
      .string()
      .min(1, 'is required: the id of the chat')
      .max(256)
      .refine((id) => id.isWellFormed(), { error: 'is not well-formed text' })
      .describe(
        'The id of the chat. Without `AUTH` a UUID is the id of the session. With `AUTH` it is that only for a session that the user has already. Any other id names a session of the user.',
      ),
    messages: z
      .array(z.unknown())
      .min(1)
      .describe(
        'Only the last message counts, the question: `{id, role: "user", parts: [{type: "text", text}]}`. The session has the others.',
      ),
    trigger: z.enum(['submit-message', 'regenerate-message']).default('submit-message'),
    messageId: z
      .string()
      .nullish()
      .describe(
        'With `submit-message`: the question that the last message replaces. With `regenerate-message`: the answer that is given again.',
      ),
    options: generationOptionsSchema.optional(),
  })
  .meta({ id: 'ChatRequest' });

/** The question of a chat. */
export interface ChatQuestion {
  readonly chatId: string;
  /** The client's id of the question: a second request with it gets the same turn. */
  readonly messageId: string;
  readonly content: string;
  readonly options: z.infer<typeof generationOptionsSchema> | undefined;
  /** Absent: a new question. */
  readonly again?: 'answer' | 'question';
  /** The answer that is given again, as the page names it. Absent: that of the question. */
  readonly answerId?: string;
}

const MESSAGE_ID_MAX = 64;

export function parseChatRequest(text: string): ChatQuestion {
  const { id, messages, trigger, messageId, options } = parseBody(chatRequestSchema, text);
  const index = messages.length - 1;
  const parsed = questionSchema.safeParse(messages[index]);
  const last = parsed.success ? parsed.data : refuse(`messages.${index}: is not a message with parts`);
  if (last.role !== 'user') refuse(`messages.${index}.role: the last message must be of the user`);
  const questionId = last.id ?? '';
  if (questionId === '' || questionId.length > MESSAGE_ID_MAX || !questionId.isWellFormed())
    refuse(`messages.${index}.id: must be text of 1 to ${MESSAGE_ID_MAX} characters`);
  const isEdit = trigger === 'submit-message' && (messageId ?? '') !== '';
  return {
    chatId: id,
    messageId: questionId,
    content: textOf(last, index),
    options,
    ...(trigger === 'regenerate-message'
      ? { again: 'answer', ...(messageId == null ? {} : { answerId: messageId }) }
      : isEdit
        ? { again: 'question' }
        : {}),
  };
}

/** The text parts. A part that the model would have to see is refused, not left out. */
function textOf({ parts = [] }: z.infer<typeof questionSchema>, index: number): string {
  const texts = parts.flatMap((part, place) => {
    if (part.type === 'text') return [part.text ?? ''];
    if (part.type.startsWith('data-')) return [];
    return refuse(
      `messages.${index}.parts.${place}.type: ${part.type.slice(0, 40)} is not supported, only text`,
    );
  });
  const content = texts.join('\n');
  return content === '' ? refuse(`messages.${index}.parts: the last message has no text`) : content;
}

function refuse(detail: string): never {
  throw new Refusal('bad_request', detail);
}
