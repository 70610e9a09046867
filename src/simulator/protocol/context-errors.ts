/** Words "the conversation is too long" as each version of vLLM and each other server does. */
import type { ContextErrorWording } from '../settings.ts';
import { badRequest, type Refusal } from './refusals.ts';

export interface ContextOverrun {
  readonly maxModelLen: number;
  readonly promptTokens: number;
  /** 0 if the request named no limit. */
  readonly outputTokens: number;
}

/** The tokeniser of newer servers stops early, so they know only a lower bound of the prompt. */
function atLeast({ maxModelLen, promptTokens, outputTokens }: ContextOverrun): number {
  return Math.min(promptTokens, maxModelLen - outputTokens + 1);
}

function error(status: number, body: unknown): Refusal {
  return { kind: 'refusal', status, body };
}

const WORDINGS: Readonly<Record<ContextErrorWording, (overrun: ContextOverrun) => Refusal>> = {
  old: ({ maxModelLen, promptTokens, outputTokens }) =>
    badRequest(
      `This model's maximum context length is ${maxModelLen} tokens. However, you requested ` +
        `${promptTokens + outputTokens} tokens (${promptTokens} in the messages, ${outputTokens} in the ` +
        'completion). Please reduce the length of the messages or completion.',
    ),
  mid: (overrun) =>
    badRequest(
      `You passed ${atLeast(overrun)} input tokens and requested ${overrun.outputTokens} output tokens. However, ` +
        `the model's context length is only ${overrun.maxModelLen} tokens, resulting in a maximum input length of ` +
        `${overrun.maxModelLen - overrun.outputTokens} tokens. Please reduce the length of the input prompt. ` +
        `(parameter=input_tokens, value=${atLeast(overrun)})`,
      'input_tokens',
    ),
  new: (overrun) =>
    badRequest(
      `This model's maximum context length is ${overrun.maxModelLen} tokens. However, you requested ` +
        `${overrun.outputTokens} output tokens and your prompt contains at least ${atLeast(overrun)} input tokens, ` +
        `for a total of at least ${atLeast(overrun) + overrun.outputTokens} tokens. Please reduce the length of the ` +
        'input prompt or the number of requested output tokens. ' +
        `(parameter=input_tokens, value=${atLeast(overrun)})`,
      'input_tokens',
    ),
  /** vLLM of early 2026, about the requested tokens alone; the missing space is its own. */
  output: ({ maxModelLen, outputTokens }) =>
    badRequest(
      `max_tokens=${outputTokens}cannot be greater than max_model_len=max_total_tokens=${maxModelLen}. ` +
        `Please request fewer output tokens. (parameter=max_tokens, value=${outputTokens})`,
      'max_tokens',
    ),
  sglang: ({ maxModelLen, promptTokens }) => {
    const message = `The input (${promptTokens} tokens) is longer than the model's context length (${maxModelLen} tokens).`;
    return error(400, { object: 'error', message, type: 'BadRequestError', param: null, code: 400 });
  },
  'llama.cpp': ({ maxModelLen, promptTokens }) => {
    const message = `request (${promptTokens} tokens) exceeds the available context size (${maxModelLen} tokens), try increasing it`;
    const type = 'exceed_context_size_error';
    return error(400, {
      error: { code: 400, message, type, n_prompt_tokens: promptTokens, n_ctx: maxModelLen },
    });
  },
  tgi: ({ maxModelLen, promptTokens, outputTokens }) =>
    error(422, {
      error:
        `Input validation error: \`inputs\` tokens + \`max_new_tokens\` must be <= ${maxModelLen}. ` +
        `Given: ${promptTokens} \`inputs\` tokens and ${outputTokens} \`max_new_tokens\``,
      error_type: 'validation',
    }),
  openai: () => {
    const message =
      'Your input exceeds the context window of this model. Please adjust your input and try again.';
    const code = 'context_length_exceeded';
    return error(400, { error: { message, type: 'invalid_request_error', param: 'messages', code } });
  },
};

/** An unknown wording counts as vLLM's newest. */
export function contextTooLong(wording: string, overrun: ContextOverrun): Refusal {
  return WORDINGS[Object.hasOwn(WORDINGS, wording) ? (wording as ContextErrorWording) : 'new'](overrun);
}

export function maxTokensTooLarge(maxTokens: number, maxModelLen: number): Refusal {
  return badRequest(
    `max_tokens=${maxTokens} cannot be greater than max_model_len=max_total_tokens=${maxModelLen}. ` +
      `Please request fewer output tokens. (parameter=max_tokens, value=${maxTokens})`,
    'max_tokens',
  );
}
