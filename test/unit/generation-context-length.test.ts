import { describe, expect, test } from 'vitest';
import { contextLimitOf, isContextLengthError } from '../../src/generation/context-length.ts';
import { contextTooLong, maxTokensTooLarge } from '../../src/simulator/refusals.ts';

const overrun = { maxModelLen: 8192, promptTokens: 8000, outputTokens: 500 };
const bodyOf = (refusal: { readonly body: unknown }) =>
  (refusal.body as { readonly error: { readonly message: string; readonly param: string | null } }).error;

describe('a conversation that is too long', () => {
  test.each(['old', 'mid', 'new'] as const)('is recognised in the %s wording, by words alone', (wording) => {
    const { message } = bodyOf(contextTooLong(wording, overrun));
    expect(isContextLengthError({ status: 400, message, param: null })).toBe(true);
    expect(contextLimitOf(message)).toBe(8192);
  });

  test('is recognised when too many tokens are asked for', () => {
    const { message } = bodyOf(maxTokensTooLarge(9000, 8192));
    expect(isContextLengthError({ status: 400, message, param: null })).toBe(true);
    expect(contextLimitOf(message)).toBe(8192);
  });

  test('is recognised by its parameter when the words change once more', () => {
    expect(isContextLengthError({ status: 400, message: 'Too much.', param: 'input_tokens' })).toBe(true);
    expect(isContextLengthError({ status: 413, message: 'Too much.', param: 'input_tokens' })).toBe(true);
  });

  test('is recognised in an error event, which has no status', () => {
    const { message } = bodyOf(contextTooLong('new', overrun));
    expect(isContextLengthError({ status: null, message, param: null })).toBe(true);
  });

  test.each([
    ['another refusal', { status: 400, message: 'temperature must be non-negative', param: 'temperature' }],
    [
      'a server error that talks about it',
      { status: 500, message: 'maximum context length is 5', param: null },
    ],
    [
      'a user who talks about it',
      { status: 400, message: 'value: "what is your context length?"', param: null },
    ],
  ])('is not seen in %s', (_name, refusal) => {
    expect(isContextLengthError(refusal)).toBe(false);
  });
});
