/** "The conversation is too long" in the words of servers that are not vLLM's OpenAI front end of today. */
import type { ContextOverrun, Refusal } from './refusals.ts';

/** `output` is vLLM's complaint of early 2026 about the requested tokens alone, without its space. */
export type ForeignContextError = 'output' | 'sglang' | 'llama.cpp' | 'tgi' | 'openai';

const FOREIGN: Readonly<Record<ForeignContextError, (overrun: ContextOverrun) => Omit<Refusal, 'kind'>>> = {
  output: ({ maxModelLen, outputTokens }) => ({
    status: 400,
    body: {
      error: {
        message:
          `max_tokens=${outputTokens}cannot be greater than max_model_len=max_total_tokens=${maxModelLen}. ` +
          `Please request fewer output tokens. (parameter=max_tokens, value=${outputTokens})`,
        type: 'BadRequestError',
        param: 'max_tokens',
        code: 400,
      },
    },
  }),
  sglang: ({ maxModelLen, promptTokens }) => ({
    status: 400,
    body: {
      object: 'error',
      message: `The input (${promptTokens} tokens) is longer than the model's context length (${maxModelLen} tokens).`,
      type: 'BadRequestError',
      param: null,
      code: 400,
    },
  }),
  'llama.cpp': ({ maxModelLen, promptTokens }) => ({
    status: 400,
    body: {
      error: {
        code: 400,
        message: `request (${promptTokens} tokens) exceeds the available context size (${maxModelLen} tokens), try increasing it`,
        type: 'exceed_context_size_error',
        n_prompt_tokens: promptTokens,
        n_ctx: maxModelLen,
      },
    },
  }),
  tgi: ({ maxModelLen, promptTokens, outputTokens }) => ({
    status: 422,
    body: {
      error:
        `Input validation error: \`inputs\` tokens + \`max_new_tokens\` must be <= ${maxModelLen}. ` +
        `Given: ${promptTokens} \`inputs\` tokens and ${outputTokens} \`max_new_tokens\``,
      error_type: 'validation',
    },
  }),
  openai: () => ({
    status: 400,
    body: {
      error: {
        message:
          'Your input exceeds the context window of this model. Please adjust your input and try again.',
        type: 'invalid_request_error',
        param: 'messages',
        code: 'context_length_exceeded',
      },
    },
  }),
};

export function isForeignContextError(wording: string): wording is ForeignContextError {
  return Object.hasOwn(FOREIGN, wording);
}

export function foreignContextError(wording: ForeignContextError, overrun: ContextOverrun): Refusal {
  return { kind: 'refusal', ...FOREIGN[wording](overrun) };
}
