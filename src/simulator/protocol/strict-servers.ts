/** Refuses the fields that vLLM takes and other servers do not, in their words: a client can learn to leave them out. */
import type { StrictServer } from '../settings.ts';
import { isObject, type JsonObject } from './prompt.ts';
import type { Refusal } from './refusals.ts';

const OPENAI_FIELDS: ReadonlySet<string> = new Set([
  ...['model', 'messages', 'prompt', 'stream', 'stream_options', 'temperature', 'max_tokens'],
  ...['max_completion_tokens', 'stop', 'n', 'top_p'],
]);

/** The refusal of this body by the server, or null. */
export function refusedBy(server: StrictServer | null, body: JsonObject): Refusal | null {
  const foreign = Object.keys(body).filter((field) => !OPENAI_FIELDS.has(field));
  switch (server) {
    case null:
      return null;
    case 'sglang': {
      if (body.stream !== true || body.return_token_ids !== true) return null;
      const message =
        'return_token_ids is not supported with streaming on /v1/chat/completions. Please set stream=false when ' +
        'using return_token_ids=true.';
      return refusal(400, { object: 'error', message, type: 'BadRequest', param: null, code: 400 });
    }
    case 'dynamo': {
      const message = `Unsupported parameter(s): ${foreign.map((field) => `\`${field}\``).join(', ')}`;
      return foreign.length === 0 ? null : refusal(400, { message, type: 'Bad Request', code: 400 });
    }
    case 'transformers': {
      const detail = `Unexpected keys in the request: {${foreign.map((field) => `'${field}'`).join(', ')}}`;
      return foreign.length === 0 ? null : refusal(422, { detail });
    }
    case 'wordless':
      return foreign.length === 0 ? null : refusal(400, { error: 'Bad Request' });
    case 'wordless-ids':
      return body.return_token_ids === undefined ? null : refusal(400, { error: 'Bad Request' });
    case 'openai':
    case 'openai-reasoning': {
      const [first] = foreign;
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
