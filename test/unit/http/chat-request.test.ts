import { describe, expect, test } from 'vitest';
import { parseChatRequest } from '../../../src/http/ai-sdk/chat-request.ts';
import { Refusal } from '../../../src/http/core/answer.ts';

const question = (parts: readonly object[], more = {}) =>
  JSON.stringify({ id: 'chat', messages: [{ id: 'q1', role: 'user', parts }], ...more });
const text = (words: string) => ({ type: 'text', text: words });

/** The detail of the refusal. */
function refusalOf(body: string): string {
  try {
    parseChatRequest(body);
  } catch (error) {
    if (error instanceof Refusal) return `${error.code} ${error.detail}`;
    throw error;
  }
  return 'accepted';
}

describe('a request of the AI SDK', () => {
  test('a chat request gives the text of its last message, whatever the earlier messages hold', () => {
    const messages = [
      { id: 'q0', role: 'user', parts: [{ type: 'file', url: 'data:', mediaType: 'image/png' }] },
      { id: 'a0', role: 'assistant', parts: [{ type: 'step-start' }, { type: 'tool-x', input: {} }] },
      { id: 'q1', role: 'user', parts: [text('one'), { type: 'data-note', data: 1 }, text('two')] },
    ];
    const body = JSON.stringify({ id: 'chat', messages, trigger: 'submit-message', theme: 'dark' });
    expect(parseChatRequest(body)).toEqual({
      chatId: 'chat',
      messageId: 'q1',
      content: 'one\ntwo',
      options: undefined,
    });
  });

  test('a chat request with a part that is no text is refused, and the answer names the part', () => {
    const file = { type: 'file', mediaType: 'image/png', url: 'data:' };
    expect(refusalOf(question([text('look'), file]))).toBe(
      'bad_request messages.0.parts.1.type: file is not supported, only text',
    );
  });

  test('a chat request names the field that it lacks', () => {
    expect(refusalOf(question([text('hi')], { id: undefined }))).toMatch(/^bad_request id: /);
    expect(refusalOf(question([text('hi')], { messages: [] }))).toMatch(/^bad_request messages: /);
    expect(refusalOf(question([]))).toMatch(/^bad_request messages\.0\.parts: /);
    expect(refusalOf(JSON.stringify({ id: 'c', messages: [{ role: 'user', parts: [text('hi')] }] }))).toMatch(
      /^bad_request messages\.0\.id: /,
    );
    const answered = { id: 'c', messages: [{ id: 'a', role: 'assistant', parts: [text('hi')] }] };
    expect(refusalOf(JSON.stringify(answered))).toMatch(/^bad_request messages\.0\.role: /);
  });

  test('a chat request that asks again for an answer, or replaces a question, says so', () => {
    expect(parseChatRequest(question([text('hi')], { trigger: 'regenerate-message' })).again).toBe('answer');
    expect(parseChatRequest(question([text('hi')], { messageId: 'q1' })).again).toBe('question');
  });
});
