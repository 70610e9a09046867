/** Parses `POST /v1/responses`. A parameter that this service cannot follow is refused by its name, never dropped. */
import { z } from 'zod';
import { tagsSchema } from '../../../machines/vocabulary.ts';
import { Refusal } from '../core/answer.ts';
import { parseBody } from '../core/request.ts';
import { readInput, type ToldTurn } from './input.ts';

export const responseRequestSchema = z
  .looseObject({
    input: z
      .union([z.string(), z.array(z.unknown())])
      .describe(
        'A text, or items `{role, content}` with text. Items before the last messages of the user start a new conversation.',
      ),
    model: z.string().nullish().describe('Only the model of `GET /v1/models`. Absent: that one.'),
    conversation: z
      .union([z.string(), z.looseObject({ id: z.string() })])
      .nullish()
      .describe('The conversation that goes on. Absent, also `previous_response_id`: a new one.'),
    previous_response_id: z
      .string()
      .nullish()
      .describe(
        'The response that the conversation goes on from. Before the latest one: the turns up to it are copied into a new conversation.',
      ),
    stream: z.boolean().nullish(),
    background: z.boolean().nullish().describe('true: the answer comes before the turn has ended'),
    store: z
      .boolean()
      .nullish()
      .describe('false: the response can be read only while it runs, and no later request can continue it'),
    instructions: z
      .string()
      .nullish()
      .describe(
        "Added to the system prompt of this turn, before the input's messages of `system` and `developer`. With `AUTH`, only a service's credential may send either.",
      ),
    metadata: tagsSchema
      .nullish()
      .describe(
        'Up to 16 notes of at most 512 characters, with names of at most 64. The model does not read them.',
      ),
    max_output_tokens: z.int().min(1).max(131_072).nullish(),
    temperature: z.number().min(0).max(2).nullish(),
  })
  .meta({ id: 'ResponseRequest' });

/** Parameters that are accepted where they ask for nothing. */
const WITHOUT_EFFECT: Readonly<Record<string, z.ZodType>> = {
  tools: z.array(z.unknown()).max(0, 'tools are not supported'),
  tool_choice: z.enum(['auto', 'none']),
  parallel_tool_calls: z.boolean(),
  max_tool_calls: z.int(),
  text: z.strictObject({ format: z.strictObject({ type: z.literal('text') }).optional() }),
  truncation: z.enum(['auto', 'disabled']),
  reasoning: z.strictObject({}),
  include: z.array(z.unknown()).max(0),
  service_tier: z.enum(['auto', 'default']),
  stream_options: z.strictObject({ include_obfuscation: z.boolean().optional() }),
  user: z.string(),
  safety_identifier: z.string(),
  prompt_cache_key: z.string(),
  prompt_cache_retention: z.string(),
  top_p: z.literal(1),
  presence_penalty: z.literal(0),
  frequency_penalty: z.literal(0),
  top_logprobs: z.literal(0),
};

export interface ResponseRequest {
  readonly question: string;
  /** Turns with which a new conversation begins. */
  readonly earlier: readonly ToldTurn[];
  readonly conversation: string | null;
  readonly previousResponseId: string | null;
  readonly isStream: boolean;
  readonly isBackground: boolean;
  readonly isStored: boolean;
  readonly model: string | null;
  readonly instructions: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly maxOutputTokens: number | null;
  readonly temperature: number | null;
}

export function parseResponseRequest(text: string): ResponseRequest {
  const body = parseBody(responseRequestSchema, text);
  refuseOthers(body);
  const { background, store } = body;
  const conversation =
    typeof body.conversation === 'object' ? (body.conversation?.id ?? null) : (body.conversation ?? null);
  const previousResponseId = body.previous_response_id ?? null;
  const input = readInput(body.input);
  if (conversation !== null && previousResponseId !== null)
    throw new Refusal('bad_request', 'previous_response_id: cannot be used together with conversation');
  if ((conversation ?? previousResponseId) !== null && input.earlier.length > 0)
    refuse('input: the conversation has its earlier messages already; send only what is new');
  if (background === true && store === false)
    refuse('background: a response without store cannot be read later');
  return {
    question: input.question,
    earlier: input.earlier,
    conversation,
    previousResponseId,
    isStream: body.stream === true,
    isBackground: background === true,
    isStored: store !== false,
    model: body.model ?? null,
    instructions: instructionsOf([body.instructions ?? '', ...input.instructions]),
    metadata: body.metadata ?? {},
    maxOutputTokens: body.max_output_tokens ?? null,
    temperature: body.temperature ?? null,
  };
}

/** A longer text would leave the conversation little room. */
const INSTRUCTIONS_MAX = 16_384;

function instructionsOf(texts: readonly string[]): string | null {
  const text = texts.filter((one) => one !== '').join('\n\n');
  if (text.length > INSTRUCTIONS_MAX)
    throw new Refusal('bad_request', `instructions: longer than ${INSTRUCTIONS_MAX} characters`);
  return text === '' ? null : text;
}

function refuseOthers(body: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(body)) {
    if (name in responseRequestSchema.shape || value === null) continue;
    const schema = Object.hasOwn(WITHOUT_EFFECT, name) ? WITHOUT_EFFECT[name] : undefined;
    if (schema === undefined) refuse(`${name.slice(0, 60)}: is not supported`);
    else if (!schema.safeParse(value).success) refuse(`${name}: is not supported with this value`);
  }
}

function refuse(detail: string): never {
  throw new Refusal('unsupported_parameter', detail);
}
