import { describe, expect, test } from 'vitest';
import { classifyRefusal } from '../../../src/generation/upstream/failure.ts';
import { refusalOfResponse } from '../../../src/generation/upstream/refusal.ts';

const codeOf = (status: number, body: unknown) =>
  classifyRefusal(refusalOfResponse(status, JSON.stringify(body), new Headers())).code;

describe('a model that a server does not have', () => {
  test.each([
    ['vLLM', 404, { error: { message: 'The model `m` does not exist.', param: 'model', code: 404 } }],
    ['OpenAI', 404, { error: { message: 'The model `m` does not exist', code: 'model_not_found' } }],
    ['a proxy', 422, { error: { message: 'The requested model was not found' } }],
    ['a gateway', 400, { error: { message: 'no such thing', code: 'model_not_found' } }],
    ['DeepSeek', 400, { error: { message: 'Model Not Exist', type: 'invalid_request_error' } }],
    ['LiteLLM', 400, { error: { message: 'Invalid model name passed in model=m', code: '400' } }],
    ['transformers serve', 400, { detail: "Server is pinned to 'tiny'; requested 'm'." }],
  ])('a model that a server does not have is recognised in the words of %s', (_server, status, body) => {
    expect(codeOf(status, body)).toBe('model_not_found');
  });

  test.each([
    ['a path that is not there', 404, { error: 'Not Found' }],
    [
      'words of a conversation',
      400,
      { error: { message: "messages.0: 'My role model was not found' is no message", code: 400 } },
    ],
    ['another lack', 400, { error: { message: "The model `m` takes no tools; 'dose' was not found" } }],
    ['a bad input', 400, { error: { message: "Invalid model input: 'hi'" } }],
    ['another field', 400, { error: { message: 'Unknown field: colour', param: 'colour' } }],
  ])('%s is not taken for a missing model', (_what, status, body) => {
    expect(codeOf(status, body)).toBe('upstream_rejected');
  });
});
