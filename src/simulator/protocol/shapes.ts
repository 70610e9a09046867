/** Builds the JSON of answers, key by key as vLLM writes it: explicit nulls stay, unset fields are absent. */
import type { Delta } from '../engine/generation.ts';
import type { Job } from './job.ts';

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Null: the server does not report it. */
  readonly cachedTokens: number | null;
}

/** How an answer ended; the fault `empty-finish` sends an empty reason. */
export interface Finish {
  readonly reason: string;
  readonly stopReason: string | null;
}

export interface Shapes {
  /** The role chunk; the older API has none. */
  opening(): unknown;
  delta(delta: Delta, isFirst: boolean): unknown;
  reasoning(delta: Delta): unknown;
  /** Servers send two kinds of empty chunk. */
  empty(): readonly unknown[];
  finish(delta: Delta, finish: Finish, isFirst: boolean): unknown;
  usage(): unknown;
  whole(answer: Delta, finish: Finish): unknown;
}

export interface ShapeInput {
  readonly job: Job;
  readonly id: string;
  readonly model: string;
  readonly createdS: number;
  /** Called for each chunk: the usage grows with every token. */
  readonly usage: () => Usage;
}

function usageJson({ promptTokens, completionTokens, cachedTokens }: Usage): unknown {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
    ...(cachedTokens === null ? {} : { prompt_tokens_details: { cached_tokens: cachedTokens } }),
  };
}

export function createShapes(input: ShapeInput): Shapes {
  return input.job.api === 'chat' ? chatShapes(input) : textShapes(input);
}

function chatShapes({ job, id, model, createdS, usage }: ShapeInput): Shapes {
  const promptIds = job.wantsIds ? job.promptIds : null;
  const continuous = (now: Usage) => (job.usage === 'every-chunk' ? { usage: usageJson(now) } : {});
  const base = (object: string) => ({ id, object, created: createdS, model });
  const chunk = (choice: object, more: object = {}): object => ({
    ...base('chat.completion.chunk'),
    choices: [{ index: 0, ...choice }],
    ...more,
    ...continuous(usage()),
  });
  const ids = (delta: Delta) => ({ token_ids: job.wantsIds ? delta.ids : null });
  const open = { logprobs: null, finish_reason: null };
  const ending = ({ reason, stopReason }: Finish) => ({
    logprobs: null,
    finish_reason: reason,
    stop_reason: stopReason,
  });
  const content = (text: string): object => {
    switch (job.faults.get('text-in')) {
      case 'refusal':
        return { delta: { content: null, refusal: text } };
      case 'parts':
        return { delta: { content: [{ type: 'text', text }] } };
      case 'message':
        return { message: { role: 'assistant', content: text } };
      default:
        return { delta: { content: text } };
    }
  };
  const reasoning = job.faults.get('reasoning') === 'old' ? 'reasoning_content' : 'reasoning';

  return {
    opening: () => ({
      ...chunk({ delta: { role: 'assistant', content: '' }, ...open }, { prompt_token_ids: promptIds }),
      ...continuous({ ...usage(), completionTokens: 0 }),
    }),
    delta: (delta) => chunk({ ...content(delta.text), ...open, ...ids(delta) }),
    reasoning: (delta) => chunk({ delta: { [reasoning]: delta.text }, ...open, ...ids(delta) }),
    empty: () => [chunk({ delta: {}, ...open }), chunk({ delta: { content: '' }, ...open })],
    finish: (delta, finish) => chunk({ ...content(delta.text), ...ending(finish), ...ids(delta) }),
    usage: () => ({ ...chunk({}), choices: [], usage: usageJson(usage()) }),
    whole: (answer, finish) => {
      const message = {
        role: 'assistant',
        content: answer.text,
        refusal: null,
        tool_calls: [],
        reasoning: null,
      };
      return {
        ...base('chat.completion'),
        choices: [{ index: 0, message, ...ending(finish), ...ids(answer) }],
        usage: usageJson(usage()),
        prompt_logprobs: null,
        prompt_token_ids: promptIds,
        kv_transfer_params: null,
      };
    },
  };
}

function textShapes({ job, id, model, createdS, usage }: ShapeInput): Shapes {
  const choice = (delta: Delta, isFirst: boolean, finish: Finish | null) => ({
    index: 0,
    text: delta.text,
    logprobs: null,
    finish_reason: finish?.reason ?? null,
    stop_reason: finish?.stopReason ?? null,
    prompt_token_ids: isFirst && job.wantsIds ? job.promptIds : null,
    token_ids: job.wantsIds ? delta.ids : null,
  });
  const base = { id, object: 'text_completion', created: createdS, model };
  const chunk = (delta: Delta, isFirst = false, finish: Finish | null = null) => ({
    ...base,
    choices: [choice(delta, isFirst, finish)],
    ...(job.usage === 'every-chunk' ? { usage: usageJson(usage()) } : {}),
  });

  return {
    opening: () => null,
    delta: (delta, isFirst) => chunk(delta, isFirst),
    reasoning: (delta) => chunk(delta),
    empty: () => [chunk({ ids: [], text: '' })],
    finish: (delta, finish, isFirst) => chunk(delta, isFirst, finish),
    usage: () => ({ ...base, choices: [], usage: usageJson(usage()) }),
    whole: (answer, finish) => ({
      ...base,
      choices: [choice(answer, true, finish)],
      usage: usageJson(usage()),
      kv_transfer_params: null,
    }),
  };
}
