/** Items of a conversation as the OpenAI APIs show them: messages of the user and of the model. */
import { z } from 'zod';
import type { ConversationTurn } from '../turns/rebuilt-turn.ts';
import { answerIdOf, questionIdOf } from './ids.ts';

const itemStatusSchema = z.enum(['in_progress', 'completed', 'incomplete']);
export type ItemStatus = z.infer<typeof itemStatusSchema>;

const outputTextSchema = z
  .strictObject({
    type: z.literal('output_text'),
    text: z.string(),
    annotations: z.array(z.unknown()),
    logprobs: z.array(z.unknown()),
  })
  .meta({ id: 'OutputText' });
export type OutputText = z.infer<typeof outputTextSchema>;

const answerItemSchema = z
  .strictObject({
    id: z.string(),
    type: z.literal('message'),
    role: z.literal('assistant'),
    status: itemStatusSchema,
    content: z.array(outputTextSchema),
  })
  .meta({ id: 'OutputMessage' });
export type AnswerItem = z.infer<typeof answerItemSchema>;

const questionItemSchema = z
  .strictObject({
    id: z.string(),
    type: z.literal('message'),
    role: z.literal('user'),
    status: itemStatusSchema,
    content: z.array(z.strictObject({ type: z.literal('input_text'), text: z.string() })),
  })
  .meta({ id: 'InputMessage' });

const reasoningTextSchema = z.strictObject({ type: z.literal('reasoning_text'), text: z.string() });
export type ReasoningText = z.infer<typeof reasoningTextSchema>;

const reasoningItemSchema = z
  .strictObject({
    id: z.string(),
    type: z.literal('reasoning'),
    summary: z.array(z.unknown()),
    content: z.array(reasoningTextSchema),
    status: itemStatusSchema,
  })
  .meta({ id: 'ReasoningItem' });
export type ReasoningItem = z.infer<typeof reasoningItemSchema>;

export const outputItemSchema = z.union([answerItemSchema, reasoningItemSchema]);
export const itemSchema = z.union([questionItemSchema, answerItemSchema]);
export type Item = z.infer<typeof itemSchema>;

export const itemListSchema = z
  .strictObject({
    object: z.literal('list'),
    data: z.array(itemSchema),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'ItemList' });

export const outputText = (text: string): OutputText => ({
  type: 'output_text',
  text,
  annotations: [],
  logprobs: [],
});

export const questionItem = (turnId: string, text: string): Item => ({
  id: questionIdOf(turnId),
  type: 'message',
  role: 'user',
  status: 'completed',
  content: [{ type: 'input_text', text }],
});

export const answerItem = (
  turnId: string,
  status: ItemStatus,
  content: readonly OutputText[],
): AnswerItem => ({
  id: answerIdOf(turnId),
  type: 'message',
  role: 'assistant',
  status,
  content: [...content],
});

/** Oldest first. The answer of the running turn is left out: it is not whole. */
export function itemsOf(turns: readonly ConversationTurn[], runningTurnId: string | null): readonly Item[] {
  return turns.flatMap(({ turnId, question, answer }) => {
    const asked = questionItem(turnId, question.content);
    if (answer === null || turnId === runningTurnId) return [asked];
    return [asked, answerItem(turnId, 'completed', [outputText(answer.content)])];
  });
}

export interface ItemQuery {
  readonly after?: string | undefined;
  readonly limit: number;
  readonly order: 'asc' | 'desc';
}

/** One page of a list. Null: the list has no item `after`. */
export function itemPage(
  items: readonly Item[],
  { after, limit, order }: ItemQuery,
): z.infer<typeof itemListSchema> | null {
  const ordered = order === 'asc' ? items : items.toReversed();
  const before = after === undefined ? -1 : ordered.findIndex(({ id }) => id === after);
  if (after !== undefined && before === -1) return null;
  const data = ordered.slice(before + 1, before + 1 + limit);
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: before + 1 + limit < ordered.length,
  };
}
