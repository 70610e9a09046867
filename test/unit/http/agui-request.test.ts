import { describe, expect, test } from 'vitest';
import { earlierMessages, messagesOf } from '../../../src/http/ag-ui/agui-message.ts';
import { parseRunInput } from '../../../src/http/ag-ui/agui-request.ts';
import { Refusal } from '../../../src/http/core/answer.ts';
import type { Conversation } from '../../../src/http/turns/read-turns.ts';

const asked = { id: 'q1', role: 'user', content: 'hello' };
const input = (more = {}) =>
  JSON.stringify({
    ...{ threadId: 'thread', runId: 'run', state: {}, messages: [asked] },
    ...{ tools: [], context: [], forwardedProps: {}, ...more },
  });

/** The detail of the refusal. */
function refusalOf(body: string): string {
  try {
    parseRunInput(body);
  } catch (error) {
    if (error instanceof Refusal) return `${error.code} ${error.detail}`;
    throw error;
  }
  return 'accepted';
}

describe('a run input of AG-UI', () => {
  test('a run input gives the text of its last message and keeps every message as it was sent', () => {
    const look = { id: 'q0', role: 'user', content: [{ type: 'image', source: {} }] };
    const parts = {
      ...asked,
      content: [
        { type: 'text', text: 'one' },
        { type: 'text', text: 'two' },
      ],
    };
    const messages = [look, { id: 'r0', role: 'reasoning', content: 'hm' }, parts];
    const state = { theme: 'dark' };
    expect(parseRunInput(input({ messages, state, data: {}, parentRunId: 'before' }))).toEqual({
      ...{ threadId: 'thread', runId: 'run', content: 'one\ntwo', messages, state, options: undefined },
    });
  });

  test('a run input without optional fields is accepted, and a state that is no object counts as none', () => {
    const body = JSON.stringify({ threadId: 't', runId: 'r', messages: [asked], state: [1] });
    expect(parseRunInput(body)).toMatchObject({ content: 'hello', state: {} });
  });

  test('a run input with tools, context or answers to interrupts is refused, and the answer names the field', () => {
    const tool = { name: 'look_up', description: '', parameters: {} };
    expect(refusalOf(input({ tools: [tool] }))).toBe('bad_request tools: tools are not supported');
    expect(refusalOf(input({ context: [{ description: 'a', value: 'b' }] }))).toBe(
      'bad_request context: context entries are not supported',
    );
    expect(refusalOf(input({ resume: [{ interruptId: 'i' }] }))).toBe(
      'bad_request resume: interrupts are not supported',
    );
  });

  test('a run input whose question has a part that is no text is refused, and the answer names the part', () => {
    const content = [
      { type: 'text', text: 'look' },
      { type: 'image', source: {} },
    ];
    expect(refusalOf(input({ messages: [{ ...asked, content }] }))).toBe(
      'bad_request messages.0.content.1.type: image is not supported, only text',
    );
  });

  test('a run input names the field that it lacks', () => {
    expect(refusalOf(input({ threadId: undefined }))).toMatch(/^bad_request threadId: /);
    expect(refusalOf(input({ runId: 'r'.repeat(65) }))).toMatch(/^bad_request runId: /);
    expect(refusalOf(input({ messages: [] }))).toMatch(/^bad_request messages: /);
    expect(refusalOf(input({ messages: [{ role: 'user', content: 'hello' }] }))).toMatch(
      /^bad_request messages\.0: /,
    );
    expect(refusalOf(input({ messages: [{ ...asked, content: '' }] }))).toMatch(
      /^bad_request messages\.0\.content: /,
    );
    expect(refusalOf(input({ messages: [{ ...asked, content: 7 }] }))).toMatch(
      /^bad_request messages\.0\.content: /,
    );
    expect(refusalOf(input({ messages: [{ ...asked, role: 'tool' }] }))).toMatch(
      /^bad_request messages\.0\.role: /,
    );
  });
});

describe('the messages of a thread', () => {
  const ids = ['1', '2', '3'].map((digit) => `00000000-0000-8000-8000-00000000000${digit}`);
  const turns = ids.map((turnId, index) => ({
    turnId,
    question: { content: `question ${index}`, at: 1_000, author: null },
    answer: { content: `answer ${index}`, at: 2_000, isSimulated: index === 0 },
  }));
  const conversation: Conversation = {
    ...{
      sessionId: 's',
      isLive: true,
      endReason: null,
      origin: null,
      tags: {},
      createdAt: 0,
      turns,
      runningTurnId: ids[2]!,
      queuedTurnIds: [],
    },
  };
  const texts = (messages: readonly { readonly id: string; readonly content?: unknown }[]) =>
    messages.map(({ content }) => content);

  test('the messages of a thread leave the running answer out', () => {
    const messages = messagesOf(conversation);
    expect(texts(messages)).toEqual(['question 0', 'answer 0', 'question 1', 'answer 1', 'question 2']);
    expect(messages.map(({ metadata }) => metadata)[1]).toEqual({ simulated: true });
    expect(messages[0]).toMatchObject({
      parts: [{ type: 'text', content: 'question 0' }],
      createdAt: '1970-01-01T00:00:01.000Z',
    });
  });

  test('a client that sends only its newest messages gets the earlier ones from the session, and no message twice', () => {
    const own = ids[2]!;
    const user = { id: 'u', role: 'user', content: 'x' };
    const assistant = { id: 'a', role: 'assistant', content: 'y' };
    expect(texts(earlierMessages(conversation, own, [user]))).toHaveLength(4);
    expect(texts(earlierMessages(conversation, own, [user, assistant, user]))).toEqual([
      'question 0',
      'answer 0',
    ]);
    expect(earlierMessages(conversation, own, [user, assistant, user, assistant, user])).toEqual([]);
    expect(earlierMessages(conversation, own, Array(9).fill(user))).toEqual([]);
    expect(earlierMessages(null, own, [user])).toEqual([]);
    expect(texts(earlierMessages(conversation, 'not yet stored', [user]))).toHaveLength(5);
  });
});
