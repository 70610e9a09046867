/** Reads the `input` of a response: its question, what goes before it, and what the model is told to be. */
import { z } from 'zod';
import { Refusal } from '../core/answer.ts';

/** Clients send back items with fields of their own, such as `id` and `status`. */
const messageSchema = z.looseObject({
  type: z.literal('message').optional(),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]),
});
type Message = z.infer<typeof messageSchema>;

const TEXT_PARTS: ReadonlySet<string> = new Set(['input_text', 'output_text', 'text']);

export interface Input {
  /** The last messages of the user. */
  readonly question: string;
  /** Messages before the question; empty: the input is a question alone. */
  readonly earlier: readonly { readonly role: 'user' | 'assistant'; readonly text: string }[];
  /** Texts of the roles `system` and `developer`. */
  readonly instructions: readonly string[];
}

export function readInput(input: string | readonly unknown[]): Input {
  if (typeof input === 'string') return { question: wholeText(input), earlier: [], instructions: [] };
  const messages = input.flatMap((item, index) => messageIn(item, `input[${index}]`));
  const told = messages.filter(({ role }) => role === 'system' || role === 'developer');
  const said = messages.flatMap(({ role, text }) =>
    role === 'user' || role === 'assistant' ? [{ role, text }] : [],
  );
  const isAnswer = ({ role }: (typeof said)[number]) => role === 'assistant';
  const firstOfQuestion = said.findLastIndex(isAnswer) + 1;
  const question = said.slice(firstOfQuestion).map(({ text }) => text);
  return {
    question: wholeText(question.join('\n\n')),
    earlier: said.slice(0, firstOfQuestion),
    instructions: told.map(({ text }) => text),
  };
}

/** The content of the message: a session has no place for turns that it did not run, so the question carries them. */
export function contentOf({ earlier, question }: Input): string {
  if (earlier.length === 0) return question;
  const told = earlier.map(({ role, text }) => `${role}: ${text}`);
  return ['The conversation so far:', ...told, 'The next message of the user:', question].join('\n\n');
}

function messageIn(item: unknown, place: string): readonly { role: Message['role']; text: string }[] {
  const { type = 'message' } = z.looseObject({ type: z.string().optional() }).catch({}).parse(item);
  // The model gets no reasoning of earlier answers, from wherever it comes.
  if (type === 'reasoning') return [];
  if (type !== 'message') return unsupported(`${place}.type: ${shown(type)} is not supported, only message`);
  const message = messageSchema.safeParse(item);
  if (!message.success) throw new Refusal('bad_request', `${place}: is not a message with role and content`);
  const { role, content } = message.data;
  if (typeof content === 'string') return [{ role, text: content }];
  const texts = content.map(({ type: kind, text }, index) =>
    TEXT_PARTS.has(kind) && typeof text === 'string'
      ? text
      : unsupported(`${place}.content[${index}].type: ${shown(kind)} is not supported, only text`),
  );
  return [{ role, text: texts.join('\n') }];
}

function wholeText(text: string): string {
  if (text === '') throw new Refusal('bad_request', 'input: ends without a message of the user');
  if (!text.isWellFormed()) throw new Refusal('bad_request', 'input: is not well-formed text');
  return text;
}

function unsupported(detail: string): never {
  throw new Refusal('unsupported_parameter', detail);
}

const shown = (text: string): string => text.slice(0, 40);
