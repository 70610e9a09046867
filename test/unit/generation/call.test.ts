import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPrefixOverlap } from '../../../src/generation/answer/prefix-overlap.ts';
import type { ServerProfile } from '../../../src/generation/answer/server-profile.ts';
import { createTokenIdFilter } from '../../../src/generation/answer/token-ids.ts';
import { planCall } from '../../../src/generation/answer/upstream-call.ts';
import type { GenerationPrefix, GenerationRequest } from '../../../src/generation/port.ts';
import { readChunk, type UpstreamChunk } from '../../../src/generation/upstream/upstream-chunk.ts';

const profile: ServerProfile = { refused: new Set(), continuesText: true };
const context = { model: 'm', maxTokens: 100, temperature: 0.5, extraBody: {}, profile };
const request = (
  prefix: GenerationPrefix | null,
  options: GenerationRequest['options'] = {},
): GenerationRequest => ({
  sessionId: 's',
  turnId: 't',
  attempt: 1,
  messages: [{ role: 'user', content: 'hello' }],
  prefix,
  options,
});

describe('the call', () => {
  test('the call of a fresh turn is a chat that asks for usage and token ids', () => {
    expect(planCall(request(null), context)).toMatchObject({
      kind: 'call',
      api: 'chat',
      idsAreWhole: true,
      body: {
        model: 'm',
        stream: true,
        stream_options: { include_usage: true, continuous_usage_stats: true },
        return_token_ids: true,
        max_tokens: 100,
        session_id: 's',
      },
    });
  });

  test('every call carries the operator’s extra fields, and they never replace its own', () => {
    const extraBody = { chat_template_kwargs: { enable_thinking: false }, top_k: 20 };
    const byIds = { text: 'You said', tokenIds: [7], promptTokenIds: [1] };
    for (const prefix of [null, byIds, { ...byIds, tokenIds: null }])
      expect(planCall(request(prefix), { ...context, extraBody })).toMatchObject({
        body: { ...extraBody, model: 'm', stream: true },
      });
  });

  test('the call of a turn stored with ids is a completion of exactly those ids, with the rest of max_tokens', () => {
    const prefix = { text: 'You said', tokenIds: [7, 8, 9], promptTokenIds: [1, 2] };
    const plan = planCall(request(prefix), context);
    expect(plan).toMatchObject({
      api: 'text',
      body: { prompt: [1, 2, 7, 8, 9], max_tokens: 97 },
      prefixTokens: 3,
    });
    expect(plan).not.toHaveProperty('body.messages');
  });

  test('the call of a turn stored as text leaves the assistant message open and sets both flags', () => {
    const prefix = { text: 'You said: ', tokenIds: null, promptTokenIds: null };
    expect(planCall(request(prefix), context)).toMatchObject({
      api: 'chat',
      idsAreWhole: false,
      body: {
        messages: [
          { role: 'user', content: 'hello' },
          { role: 'assistant', content: 'You said:' },
        ],
        continue_final_message: true,
        add_generation_prompt: false,
        max_tokens: 97,
      },
    });
  });

  test('a call continues by text if prompt ids or answer ids are missing', () => {
    for (const lack of [{ tokenIds: null }, { promptTokenIds: null }, { tokenIds: [] }]) {
      const prefix = { text: 'You', tokenIds: [1], promptTokenIds: [2], ...lack };
      expect(planCall(request(prefix), context)).toMatchObject({ api: 'chat' });
    }
  });

  test.each(['', ' \n'])(
    'a turn with thoughts and the text %j starts over, because no server continues thoughts',
    (text) => {
      const prefix = { text, tokenIds: [7], promptTokenIds: [1] };
      expect(planCall(request(prefix), context)).toEqual({ kind: 'restart' });
    },
  );

  test('a turn stored as text starts over at a server that does not continue text', () => {
    const cautious = { ...context, profile: { ...profile, continuesText: false } };
    const prefix = { text: 'You said', tokenIds: null, promptTokenIds: null };
    expect(planCall(request(prefix), cautious)).toEqual({ kind: 'restart' });
    expect(planCall(request({ ...prefix, tokenIds: [7], promptTokenIds: [1] }), cautious)).toMatchObject({
      api: 'text',
      continues: 'ids',
    });
  });

  test('a call omits the fields that the server refuses, and renames max_tokens', () => {
    const refused = new Set([
      'session_id',
      'return_token_ids',
      'stream_options',
      'temperature',
      'max_tokens',
    ] as const);
    const plain = { ...context, profile: { ...profile, refused } };
    const plan = planCall(request(null), plain);
    expect(plan).toMatchObject({ sessionId: 's', idsAreWhole: false });
    expect('body' in plan && plan.body).toEqual({
      model: 'm',
      stream: true,
      messages: [{ role: 'user', content: 'hello' }],
      max_completion_tokens: 100,
    });
    expect(planCall(request(null, { temperature: 0.5 }), plain)).toMatchObject({
      body: { temperature: 0.5 },
    });
  });

  test('no call goes out once every token is stored, but an estimate alone never ends an answer', () => {
    const ids = Array.from({ length: 100 }, (_, id) => id);
    expect(planCall(request({ text: 'x', tokenIds: ids, promptTokenIds: [1] }), context).kind).toBe(
      'nothing-left',
    );
    const byText = planCall(
      request({ text: 'x'.repeat(900), tokenIds: null, promptTokenIds: null }),
      context,
    );
    expect(byText).toMatchObject({ kind: 'call', body: { max_tokens: 1 } });
  });

  test('a call with stop strings asks for no token ids', () => {
    const plan = planCall(request(null, { stop: ['END'] }), context);
    expect(plan).toMatchObject({ body: { stop: ['END'] }, idsAreWhole: false });
    expect(plan).not.toHaveProperty('body.return_token_ids');
  });
});

describe('the overlap', () => {
  const space = fc.string({ unit: fc.constantFrom(' ', '\n', '\t'), maxLength: 4 });

  test('a continuation by text joins exactly, whether the template trims or not', () => {
    fc.assert(
      fc.property(fc.string(), space, fc.string(), fc.nat(5), (head, gap, tail, size) => {
        const stored = head + gap;
        const overlap = createPrefixOverlap(stored);
        const repeated = stored.slice(overlap.sent.length) + tail;
        let text = '';
        for (let at = 0; at < repeated.length; at += size + 1)
          text += overlap.strip(repeated.slice(at, at + size + 1));
        expect(stored + text).toBe(stored + tail);
      }),
    );
  });

  test('a continuation that does not repeat the white space keeps all of its text', () => {
    const overlap = createPrefixOverlap('One. ');
    expect(overlap.strip('\n\nTwo')).toBe('\n\nTwo');
    expect(overlap.strip(' three')).toBe(' three');
  });
});

describe('the token ids', () => {
  const chunk = (
    text: string,
    tokenIds: readonly number[] | null,
    more: Partial<UpstreamChunk> = {},
  ): UpstreamChunk => ({
    isAnswer: true,
    isWhole: false,
    text,
    tokenIds,
    reasoning: '',
    promptTokenIds: null,
    finishReason: null,
    usage: null,
    ...more,
  });

  test('token ids without text wait for the text that they are part of', () => {
    const filter = createTokenIdFilter(true);
    expect(filter.take(chunk('', null, { promptTokenIds: [1, 2] }))).toEqual({});
    expect(filter.take(chunk('', [10]))).toEqual({});
    expect(filter.take(chunk('', [11]))).toEqual({});
    expect(filter.take(chunk('🩺', [12]))).toEqual({ tokenIds: [10, 11, 12], promptTokenIds: [1, 2] });
    expect(filter.take(chunk('a', [13]))).toEqual({ tokenIds: [13] });
  });

  test('after text without token ids no ids go on', () => {
    const filter = createTokenIdFilter(true);
    filter.take(chunk('a', [1]));
    expect(filter.take(chunk('b', null))).toEqual({});
    expect(filter.take(chunk('c', [3]))).toEqual({});
  });

  test('after the server counts more tokens than it sent ids, no ids go on', () => {
    const usage = (completion_tokens: number) => ({ usage: { prompt_tokens: 3, completion_tokens } });
    const filter = createTokenIdFilter(true);
    expect(filter.take(chunk('a', [1], usage(1)))).toEqual({ tokenIds: [1] });
    expect(filter.take(chunk('', [2], usage(2)))).toEqual({});
    expect(filter.take(chunk('b', [3], usage(3)))).toEqual({ tokenIds: [2, 3] });
    expect(filter.take(chunk('🩺', [6], usage(6)))).toEqual({});
    expect(filter.take(chunk('c', [7], usage(7)))).toEqual({});
  });

  test('token ids of thoughts go on, with the ids that end the thoughts', () => {
    const filter = createTokenIdFilter(true);
    expect(filter.take(chunk('', [1], { reasoning: 'hm' }))).toEqual({ tokenIds: [1] });
    expect(filter.take(chunk('', [99]))).toEqual({});
    expect(filter.take(chunk('b', [2]))).toEqual({ tokenIds: [99, 2] });
  });

  test('after thoughts without token ids no ids go on', () => {
    const filter = createTokenIdFilter(true);
    expect(filter.take(chunk('', null, { reasoning: 'hm' }))).toEqual({});
    expect(filter.take(chunk('b', [2]))).toEqual({});
  });

  test('the id of the end token does not go on, even in a chunk with text', () => {
    expect(createTokenIdFilter(true).take(chunk('b', [2, 257], { finishReason: 'stop' }))).toEqual({});
    expect(createTokenIdFilter(true).take(chunk('b', [2], { finishReason: 'length' }))).toEqual({
      tokenIds: [2],
    });
  });

  test('no token ids go on after a part that was stored without ids', () => {
    expect(createTokenIdFilter(false).take(chunk('a', [1], { promptTokenIds: [5] }))).toEqual({});
  });
});

describe('a chunk', () => {
  test('readChunk accepts any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('chat' as const, 'text' as const), (value, api) => {
        expect(typeof readChunk(api, value).text).toBe('string');
      }),
    );
  });

  test('readChunk reads reasoning under its new name, and under its old one', () => {
    const reasoningOf = (delta: object) => readChunk('chat', { choices: [{ delta }] }).reasoning;
    expect(reasoningOf({ reasoning: 'new', reasoning_content: 'old' })).toBe('new');
    expect(reasoningOf({ reasoning_content: 'old' })).toBe('old');
    expect(reasoningOf({ reasoning: null, content: 'x' })).toBe('');
  });
});
