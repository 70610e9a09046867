/** Servers that refuse fields which vLLM takes, each in its own words, so that a client can learn to leave them out. */
import { isObject, type JsonObject } from '../text/prompt.ts';
import type { Refusal } from './refusals.ts';

/**
 * `openai-reasoning` stands for OpenAI's models that think: they refuse more than its others. `wordless` stands for
 * gateways that check a request against a schema and keep the reason to themselves; `wordless-ids` minds token ids alone.
 */
export type StrictServer =
  | 'sglang'
  | 'openai'
  | 'openai-reasoning'
  | 'dynamo'
  | 'transformers'
  | 'wordless'
  | 'wordless-ids';

const OPENAI_FIELDS: ReadonlySet<string> = new Set([
  'model',
  'messages',
  'prompt',
  'stream',
  'stream_options',
  'temperature',
  'max_tokens',
  'max_completion_tokens',
  'stop',
  'n',
  'top_p',
]);

/** What the server would refuse in this body, or null. */
export function refusedBy(server: StrictServer | null, body: JsonObject): Refusal | null {
  const strange = Object.keys(body).filter((field) => !OPENAI_FIELDS.has(field));
  switch (server) {
    case null:
      return null;
    case 'sglang':
      if (body.stream !== true || body.return_token_ids !== true) return null;
      return refusal(400, {
        object: 'error',
        message:
          'return_token_ids is not supported with streaming on /v1/chat/completions. Please set stream=false when ' +
          'using return_token_ids=true.',
        type: 'BadRequest',
        param: null,
        code: 400,
      });
    case 'dynamo': {
      if (strange.length === 0) return null;
      const names = strange.map((field) => `\`${field}\``).join(', ');
      return refusal(400, { message: `Unsupported parameter(s): ${names}`, type: 'Bad Request', code: 400 });
    }
    case 'transformers': {
      if (strange.length === 0) return null;
      const names = strange.map((field) => `'${field}'`).join(', ');
      return refusal(422, { detail: `Unexpected keys in the request: {${names}}` });
    }
    case 'wordless':
      return strange.length === 0 ? null : refusal(400, { error: 'Bad Request' });
    case 'wordless-ids':
      return body.return_token_ids === undefined ? null : refusal(400, { error: 'Bad Request' });
    case 'openai':
    case 'openai-reasoning': {
      const [first] = strange;
      if (first !== undefined) return openAi(`Unrecognized request argument supplied: ${first}`, null, null);
      if (isObject(body.stream_options) && 'continuous_usage_stats' in body.stream_options) {
        const param = 'stream_options.continuous_usage_stats';
        return openAi(`Unknown parameter: '${param}'.`, param, 'unknown_parameter');
      }
      return server === 'openai' ? null : refusedByReasoning(body);
    }
  }
}

function refusedByReasoning({ max_tokens, temperature }: JsonObject): Refusal | null {
  if (max_tokens !== undefined)
    return openAi(
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      'max_tokens',
      'unsupported_parameter',
    );
  if (temperature !== undefined && temperature !== 1)
    return openAi(
      `Unsupported value: 'temperature' does not support ${String(temperature)} with this model. Only the default ` +
        '(1) value is supported.',
      'temperature',
      'unsupported_value',
    );
  return null;
}

function openAi(message: string, param: string | null, code: string | null): Refusal {
  return refusal(400, { error: { message, type: 'invalid_request_error', param, code } });
}

function refusal(status: number, body: unknown): Refusal {
  return { kind: 'refusal', status, body };
}
