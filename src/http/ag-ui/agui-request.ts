/** Parses AG-UI's `RunAgentInput`, as `@ag-ui/client` and TanStack AI send it. */
import { z } from 'zod';
import { generationOptionsSchema } from '../../protocol/client-frames.ts';
import { Refusal } from '../core/answer.ts';
import { parseBody } from '../core/request.ts';
import type { AgUiMessage } from './agui-event.ts';

const wellFormed = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((id) => id.isWellFormed(), { error: 'is not well-formed text' });

export const threadIdSchema = wellFormed(256);
export const runIdSchema = wellFormed(128);

/** The session takes it as the id of the message. */
const RUN_ID_MAX = 64;

const unsupported = (what: string) => z.array(z.unknown()).max(0, `${what} are not supported`).optional();

const messageSchema = z.looseObject({ id: z.string(), role: z.string() });

/** Each version of the clients sends fields of its own. */
export const runInputSchema = z
  .looseObject({
    threadId: threadIdSchema.describe(
      'The id of the chat. Without `AUTH` a UUID is the id of the session. With `AUTH` it is that only for a session that the user has already. Any other id names a session of the user.',
    ),
    runId: wellFormed(RUN_ID_MAX).describe('Names the message: a request that repeats it gets the same run.'),
    messages: z
      .array(z.unknown())
      .min(1)
      .describe(
        'The last message is the question: `{id, role: "user", content}`. The session has the others; they are sent back only where an answer starts over.',
      ),
    state: z
      .unknown()
      .optional()
      .describe('The state of the client. It returns in each `STATE_SNAPSHOT`, beside `session`.'),
    tools: unsupported('tools').describe('Must be empty.'),
    context: unsupported('context entries').describe('Must be empty.'),
    resume: unsupported('interrupts').describe('Must be empty.'),
    forwardedProps: z
      .looseObject({ options: generationOptionsSchema.optional() })
      .optional()
      .describe('`options` is that of a message; other fields are ignored.'),
  })
  .meta({ id: 'RunAgentInput' });

export interface RunInput {
  readonly threadId: string;
  readonly runId: string;
  readonly content: string;
  readonly messages: readonly AgUiMessage[];
  readonly state: Readonly<Record<string, unknown>>;
  readonly options: z.infer<typeof generationOptionsSchema> | undefined;
}

export function parseRunInput(text: string): RunInput {
  const input = parseBody(runInputSchema, text);
  const { threadId, runId, state, forwardedProps } = input;
  const messages = input.messages.map((message, place) => {
    const parsed = messageSchema.safeParse(message);
    return parsed.success ? parsed.data : refuse(`messages.${place}: is not a message with id and role`);
  });
  const index = messages.length - 1;
  const last = messages[index];
  if (last?.role !== 'user') refuse(`messages.${index}.role: the last message must be of the user`);
  const content = textOf(last.content, index);
  const kept = z.record(z.string(), z.unknown()).safeParse(state);
  return {
    threadId,
    runId,
    content,
    messages,
    state: kept.success ? kept.data : {},
    options: forwardedProps?.options,
  };
}

const partsSchema = z.array(z.looseObject({ type: z.string(), text: z.string().optional() }));

/** A part that the model would have to see is refused, not left out. */
function textOf(content: unknown, index: number): string {
  if (typeof content === 'string' && content !== '') return content;
  const parts = partsSchema.safeParse(content === '' ? [] : content);
  if (!parts.success) refuse(`messages.${index}.content: is neither text nor a list of parts`);
  const texts = parts.data.map(({ type, text = '' }, place) =>
    type === 'text'
      ? text
      : refuse(`messages.${index}.content.${place}.type: ${type.slice(0, 40)} is not supported, only text`),
  );
  const joined = texts.join('\n');
  return joined === '' ? refuse(`messages.${index}.content: the last message has no text`) : joined;
}

function refuse(detail: string): never {
  throw new Refusal('bad_request', detail);
}
