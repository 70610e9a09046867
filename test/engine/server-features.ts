/**
 * Finds out what a model server supports, without Rehydra in between. The results choose the promises to test, and are
 * the rows of the table in docs/ENGINES.md.
 */
import { readCounters } from './server-counters.ts';
import { post, rootOf, type ServerAnswer, type ServerChunk, stream } from './server-request.ts';

/** How a server treats a request to continue an answer. */
export type Continuation = 'continued' | 'other text' | 'started over' | 'refused' | 'no ids';

export interface ServerFeatures {
  readonly simulated: boolean;
  readonly ids: boolean;
  readonly detokenize: boolean;
  readonly continuesByIds: Continuation;
  readonly continuesByText: Continuation;
  readonly refusesUnknownModel: boolean;
  readonly refusesManyTokens: boolean;
  readonly countsRequests: boolean;
  readonly contextTokens: number | null;
  /** For readers: a name and the observation, in the order of the table. */
  readonly seen: readonly (readonly [string, string])[];
}

const ASKED = [{ role: 'user', content: 'I have chest pain – and diabetes ✓.' }];
const EXTENSIONS = { session_id: 'probe', return_token_ids: true };
const LENGTH = 48;

export async function probe(url: string, model: string): Promise<ServerFeatures> {
  const base = { model, temperature: 0, max_tokens: LENGTH };
  const chat = { ...base, messages: ASKED, stream_options: { include_usage: true } };
  const cards = (await (await fetch(`${url}/models`)).json()) as { readonly data?: readonly Card[] };
  const card = cards.data?.find(({ id }) => id === model) ?? cards.data?.[0] ?? {};
  const extended = await stream(url, '/chat/completions', { ...chat, ...EXTENSIONS });
  const plain = extended.kind === 'stream' ? extended : await stream(url, '/chat/completions', chat);
  if (plain.kind === 'refused') throw new Error(`${url} does not chat: ${plain.status} ${plain.body}`);
  const half = firstHalf(plain.chunks);
  const ids = half.ids !== null && half.promptIds !== null;
  const rest = plain.text.slice(half.text.length);

  const byIds = ids
    ? continuationOf(
        await stream(url, '/completions', {
          ...base,
          max_tokens: LENGTH - (half.ids?.length ?? 0),
          prompt: [...(half.promptIds ?? []), ...(half.ids ?? [])],
        }),
        rest,
        plain.text,
      )
    : 'no ids';
  const open = {
    ...chat,
    messages: [...ASKED, { role: 'assistant', content: half.text }],
    max_tokens: LENGTH,
  };
  const byText = continuationOf(
    await stream(url, '/chat/completions', {
      ...open,
      continue_final_message: true,
      add_generation_prompt: false,
    }),
    rest,
    plain.text,
  );
  const byPlainText = continuationOf(await stream(url, '/chat/completions', open), rest, plain.text);

  const unknown = await refusal(url, { ...chat, model: 'no/such-model', max_tokens: 4 });
  const many = await refusal(url, { ...chat, max_tokens: 100_000_000 }, 'accepted: it ends by itself');
  const longPrompt = [{ role: 'user', content: 'My pain is worse at night. '.repeat(1_500) }];
  const long = await refusal(url, { ...chat, messages: longPrompt });
  const malformed = await refusal(url, { ...chat, messages: [{ role: 'user', content: 7 }] });
  const detokenize = await post(rootOf(url), '/detokenize', { model, tokens: half.ids ?? [1] });
  const tokenize = await post(rootOf(url), '/tokenize', { model, messages: ASKED });
  const counters = await readCounters(url).catch(() => null);
  const last = plain.chunks.at(-1);
  const limit = card.max_model_len ?? card.meta?.n_ctx ?? null;

  return {
    simulated: card.owned_by === 'rehydra-simulator',
    ids,
    detokenize: detokenize.ok,
    continuesByIds: byIds,
    continuesByText: byText,
    refusesUnknownModel: unknown.startsWith('4'),
    refusesManyTokens: many.startsWith('4'),
    countsRequests: counters !== null,
    contextTokens: limit,
    seen: [
      ['owner in /v1/models', card.owned_by ?? 'none'],
      ['window in /v1/models', windowOf(card)],
      ['`session_id`, `return_token_ids`', extended.kind === 'stream' ? 'accepted' : refusalText(extended)],
      ['token ids in the stream', ids ? 'of prompt and answer' : 'none'],
      ['continuation by ids', byIds],
      ['continuation by text, with `continue_final_message`', byText],
      ['the same without it', byPlainText],
      ['usage at the end of a stream', plain.chunks.some(({ usage }) => usage !== null) ? 'given' : 'none'],
      ['`[DONE]`', plain.done ? 'sent' : 'not sent'],
      ['last chunk has choices', last?.usage != null && last.finish === null ? 'no: usage alone' : 'yes'],
      ['reasoning in a field of its own', reasoningOf(plain.chunks)],
      ['unknown model', unknown],
      ['`max_tokens` above the window', many],
      ['prompt above the window', long],
      ['malformed message', malformed],
      ['/tokenize of a conversation', await tokenised(tokenize)],
      ['/detokenize', `${detokenize.status}`],
      ['metrics of running requests', counters === null ? 'none' : 'given'],
    ],
  };
}

interface Card {
  readonly id?: string;
  readonly owned_by?: string;
  readonly max_model_len?: number;
  readonly meta?: { readonly n_ctx?: number };
}

function windowOf({ max_model_len, meta }: Card): string {
  if (typeof max_model_len === 'number') return '`max_model_len`';
  return typeof meta?.n_ctx === 'number' ? '`meta.n_ctx`' : 'none';
}

/** The first half of an answer, cut where a word ends. */
function firstHalf(chunks: readonly ServerChunk[]): {
  readonly text: string;
  readonly ids: readonly number[] | null;
  readonly promptIds: readonly number[] | null;
} {
  const withText = chunks.filter(({ text }) => text !== '');
  let count = Math.ceil(withText.length / 2);
  while (count > 1 && !/^\s/.test(withText[count]?.text ?? ' ')) count -= 1;
  const before = chunks.slice(0, chunks.indexOf(withText[count - 1] as ServerChunk) + 1);
  const whole = before.every(({ text, tokenIds }) => text === '' || tokenIds !== null);
  return {
    text: before.map(({ text }) => text).join(''),
    ids: whole ? before.flatMap(({ tokenIds }) => tokenIds ?? []) : null,
    promptIds: before.find(({ promptTokenIds }) => promptTokenIds !== null)?.promptTokenIds ?? null,
  };
}

function continuationOf(answer: ServerAnswer, rest: string, whole: string): Continuation {
  if (answer.kind === 'refused') return 'refused';
  // The limit of tokens cuts a continuation and the whole answer at different places.
  const begins = (text: string): boolean => {
    const before = answer.text.trimStart();
    const length = Math.min(before.length, text.trimStart().length, 24);
    return length > 0 && before.slice(0, length) === text.trimStart().slice(0, length);
  };
  if (begins(rest)) return 'continued';
  return begins(whole) ? 'started over' : 'other text';
}

function refusalText(answer: { readonly status: number; readonly body: string }): string {
  return `${answer.status} \`${answer.body.replace(/\s+/g, ' ').replaceAll('|', '¦').replaceAll('`', "'").slice(0, 220)}\``;
}

async function refusal(
  url: string,
  body: Readonly<Record<string, unknown>>,
  accepted = 'accepted',
): Promise<string> {
  const response = await post(url, '/chat/completions', { ...body, stream: true });
  if (!response.ok) return refusalText({ status: response.status, body: await response.text() });
  await response.body?.cancel();
  return accepted;
}

async function tokenised(response: Response): Promise<string> {
  const text = await response.text();
  if (!response.ok) return `${response.status}`;
  return text.includes('"count"') ? 'counted' : `200, but no \`count\`: \`${text.slice(0, 40)}\``;
}

function reasoningOf(chunks: readonly ServerChunk[]): string {
  return chunks.some(({ reasoning }) => reasoning !== '') ? 'given' : 'this model does not reason';
}
