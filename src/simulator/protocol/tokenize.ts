/** /tokenize and /detokenize: the same vocabulary as the answers, for clients that count or keep ids. */

import type { Settings } from '../settings.ts';
import { type JsonObject, readChatPrompt } from '../text/prompt.ts';
import { decode, encode } from '../text/tokenizer.ts';
import { invalidField, type Refusal } from './refusals.ts';

export type Tokenized = { readonly kind: 'body'; readonly body: unknown } | Refusal;

export function tokenize(body: JsonObject, settings: Settings): Tokenized {
  const ids = idsToTell(body, settings);
  if ('kind' in ids) return ids;
  const strings = body.return_token_strs === true ? ids.map((id) => decode([id])) : null;
  const count = ids.length;
  return {
    kind: 'body',
    body: { count, max_model_len: settings.maxModelLen, tokens: ids, token_strs: strings },
  };
}

function idsToTell(body: JsonObject, settings: Settings): readonly number[] | Refusal {
  if (typeof body.prompt === 'string') return encode(body.prompt);
  const prompt = readChatPrompt(body, settings.trimContinuation);
  return prompt.kind === 'refusal' ? prompt : prompt.ids;
}

export function detokenize(body: JsonObject): Tokenized {
  const tokens = body.tokens;
  if (!Array.isArray(tokens)) return invalidField('tokens', 'Field required', 'missing');
  const ids = (tokens as readonly unknown[]).filter((id): id is number => Number.isSafeInteger(id));
  if (ids.length !== tokens.length)
    return invalidField('tokens', 'Input should be a valid integer', 'int_type');
  return { kind: 'body', body: { prompt: decode(ids) } };
}
