/** The JSON of answers, key by key as vLLM writes it: explicit nulls stay, unset fields are absent. */
import type { Delta } from '../engine/generation.ts';
import type { Job } from '../engine/job.ts';

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** null: the server does not tell. */
  readonly cachedTokens: number | null;
}

export interface Shapes {
  /** The role chunk; the older API has none. */
  opening(): unknown;
  delta(delta: Delta, isFirst: boolean): unknown;
  reasoning(delta: Delta): unknown;
  /** The two empty forms seen in the field. */
  empty(): readonly unknown[];
  finish(delta: Delta, reason: string, stopReason: string | null, isFirst: boolean): unknown;
  usage(): unknown;
  whole(text: string, ids: readonly number[], reason: string, stopReason: string | null): unknown;
}

export interface ShapeInput {
  readonly job: Job;
  readonly id: string;
  readonly model: string;
  readonly createdS: number;
  /** Read at the time of writing: it grows with every token. */
  readonly usage: () => Usage;
}

function usageJson(usage: Usage): unknown {
  return {
    prompt_tokens: usage.promptTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    completion_tokens: usage.completionTokens,
    ...(usage.cachedTokens === null ? {} : { prompt_tokens_details: { cached_tokens: usage.cachedTokens } }),
  };
}

export function createShapes(input: ShapeInput): Shapes {
  return input.job.api === 'chat' ? chatShapes(input) : textShapes(input);
}

function chatShapes({ job, id, model, createdS, usage }: ShapeInput): Shapes {
  const promptIds = job.wantsIds ? job.promptIds : null;
  const chunk = (choice: object, more: object = {}): object => ({
    id,
    object: 'chat.completion.chunk',
    created: createdS,
    model,
    choices: [{ index: 0, ...choice }],
    ...more,
    ...(job.usage === 'every-chunk' ? { usage: usageJson(usage()) } : {}),
  });
  const ids = (delta: Delta) => ({ token_ids: job.wantsIds ? delta.ids : null });
  const open = { logprobs: null, finish_reason: null };
  const words = (text: string): object => {
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
  const thought = job.faults.get('reasoning') === 'old' ? 'reasoning_content' : 'reasoning';

  return {
    opening: () => ({
      ...chunk({ delta: { role: 'assistant', content: '' }, ...open }, { prompt_token_ids: promptIds }),
      ...(job.usage === 'every-chunk' ? { usage: usageJson({ ...usage(), completionTokens: 0 }) } : {}),
    }),
    delta: (delta) => chunk({ ...words(delta.text), ...open, ...ids(delta) }),
    reasoning: (delta) => chunk({ delta: { [thought]: delta.text }, ...open, ...ids(delta) }),
    empty: () => [chunk({ delta: {}, ...open }), chunk({ delta: { content: '' }, ...open })],
    finish: (delta, reason, stopReason) =>
      chunk({
        ...words(delta.text),
        logprobs: null,
        finish_reason: reason,
        stop_reason: stopReason,
        ...ids(delta),
      }),
    usage: () => ({ ...chunk({}), choices: [], usage: usageJson(usage()) }),
    whole: (text, tokenIds, reason, stopReason) => ({
      id,
      object: 'chat.completion',
      created: createdS,
      model,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: text, refusal: null, tool_calls: [], reasoning: null },
          logprobs: null,
          finish_reason: reason,
          stop_reason: stopReason,
          token_ids: job.wantsIds ? tokenIds : null,
        },
      ],
      usage: usageJson(usage()),
      prompt_logprobs: null,
      prompt_token_ids: promptIds,
      kv_transfer_params: null,
    }),
  };
}

function textShapes({ job, id, model, createdS, usage }: ShapeInput): Shapes {
  const promptIds = job.wantsIds ? job.promptIds : null;
  const frame = (choices: readonly object[], more: object = {}): object => ({
    id,
    object: 'text_completion',
    created: createdS,
    model,
    choices,
    ...more,
  });
  const choice = (delta: Delta, isFirst: boolean, reason: string | null, stopReason: string | null) => ({
    index: 0,
    text: delta.text,
    logprobs: null,
    finish_reason: reason,
    stop_reason: stopReason,
    prompt_token_ids: isFirst ? promptIds : null,
    token_ids: job.wantsIds ? delta.ids : null,
  });
  const continuous = () => (job.usage === 'every-chunk' ? { usage: usageJson(usage()) } : {});
  const nothing: Delta = { ids: [], text: '' };

  return {
    opening: () => null,
    delta: (delta, isFirst) => frame([choice(delta, isFirst, null, null)], continuous()),
    reasoning: (delta) => frame([choice(delta, false, null, null)], continuous()),
    empty: () => [frame([choice(nothing, false, null, null)], continuous())],
    finish: (delta, reason, stopReason, isFirst) =>
      frame([choice(delta, isFirst, reason, stopReason)], continuous()),
    usage: () => frame([], { usage: usageJson(usage()) }),
    whole: (text, tokenIds, reason, stopReason) =>
      frame([choice({ text, ids: tokenIds }, true, reason, stopReason)], {
        usage: usageJson(usage()),
        kv_transfer_params: null,
      }),
  };
}
