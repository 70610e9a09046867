/** Reads the `input` of a response: its question, what goes before it, and the instructions of the model. */
import { z } from 'zod';
import { Refusal } from '../core/answer.ts';

/** Clients send back items with fields of their own, such as `id` and `status`. */
const messageSchema = z.looseObject({
  type: z.literal('message').optional(),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]),
});
type Message = z.infer<typeof messageSchema>;

/** Built once: a schema costs more than the item that it reads, and a body may have tens of thousands. */
const typedSchema = z.looseObject({ type: z.string().optional() }).catch({});

const TEXT_PARTS: ReadonlySet<string> = new Set(['input_text', 'output_text', 'text']);

interface Said {
  readonly role: 'user' | 'assistant';
  readonly text: string;
}

/** A turn that no session ran. */
export interface ToldTurn {
  readonly question: string;
  /** Null: the next message is of the user again. */
  readonly answer: string | null;
}

export interface Input {
  /** The last messages of the user. */
  readonly question: string;
  /** Turns before the question; empty: the input is a question alone. */
  readonly earlier: readonly ToldTurn[];
  /** Texts of the roles `system` and `developer`. */
  readonly instructions: readonly string[];
}

export function readInput(input: string | readonly unknown[]): Input {
  if (typeof input === 'string') return { question: wholeText(input), earlier: [], instructions: [] };
  const { said, instructions } = readItems(input, 'input');
  const firstOfQuestion = said.findLastIndex(({ role }) => role === 'assistant') + 1;
  const question = textOf(said.slice(firstOfQuestion));
  const earlier = toldTurns(said.slice(0, firstOfQuestion));
  return { question: wholeText(question), earlier, instructions };
}

/** The messages of `items`, which is the parameter `name`. */
export function readItems(
  items: readonly unknown[],
  name: string,
): { readonly said: readonly Said[]; readonly instructions: readonly string[] } {
  const messages = items.flatMap((item, index) => messageIn(item, `${name}[${index}]`));
  const told = messages.filter(({ role }) => role === 'system' || role === 'developer');
  const said = messages.flatMap(({ role, text }) =>
    role === 'user' || role === 'assistant' ? [{ role, text }] : [],
  );
  return { said, instructions: told.map(({ text }) => text) };
}

/** The model speaks first in no conversation: many templates refuse it. Such a text gets a question that says so. */
const NO_QUESTION = '(The assistant begins.)';

/** Neighbouring messages of one role are one message. */
export function toldTurns(said: readonly Said[]): readonly ToldTurn[] {
  const turns: ToldTurn[] = [];
  for (let from = 0; from < said.length; ) {
    const answered = endOfRun(said, from, 'user');
    const to = endOfRun(said, answered, 'assistant');
    const question = textOf(said.slice(from, answered));
    const answer = textOf(said.slice(answered, to));
    turns.push({ question: question || NO_QUESTION, answer: answer || null });
    from = to;
  }
  return turns;
}

function endOfRun(said: readonly Said[], from: number, role: Said['role']): number {
  let end = from;
  while (said[end]?.role === role) end += 1;
  return end;
}

const textOf = (said: readonly Said[]): string => said.map(({ text }) => text).join('\n\n');

function messageIn(item: unknown, place: string): readonly { role: Message['role']; text: string }[] {
  const { type = 'message' } = typedSchema.parse(item);
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
