import { describe, expect, test } from 'vitest';
import type { UiChunk } from '../../../src/http/ai-sdk/ui-chunk.ts';
import { UiEncoder } from '../../../src/http/ai-sdk/ui-encoder.ts';
import { takeFrames, uiStreamOf } from '../../../src/http/ai-sdk/ui-stream.ts';
import type { TurnFrame } from '../../../src/http/turns/own-turn.ts';
import type { TurnResult } from '../../../src/http/turns/turn-collector.ts';

type Body = { readonly type: TurnFrame['type'] } & Readonly<Record<string, unknown>>;

const SESSION = '11111111-1111-4111-8111-111111111111';
const TURN = '22222222-2222-4222-8222-222222222222';

const framesOf = (...bodies: readonly Body[]) =>
  bodies.map((body, index) => ({
    offset: index + 1,
    epoch: 1,
    turn_id: TURN,
    ...body,
  })) as unknown as TurnFrame[];
const started: Body = { type: 'turn.started' };
const delta = (text: string, more = {}): Body => ({ type: 'delta', text, ...more });
const completed: Body = { type: 'turn.completed', finish_reason: 'stop' };
const RESULT = { kind: 'completed' } as unknown as TurnResult;

const typesOf = (...bodies: readonly Body[]) =>
  takeFrames(uiStreamOf('msg'), framesOf(...bodies)).chunks.map(({ type }) => type);

/** The chunks that an encoder writes, and its last line. */
function written(encoder: UiEncoder, frames: readonly TurnFrame[], result: TurnResult = RESULT) {
  const lines = [...frames.flatMap((frame) => encoder.frame(frame)), ...encoder.end(result)];
  const data = lines.map((line) => line.slice('data: '.length).trimEnd());
  const chunks = data.filter((one) => one !== '[DONE]').map((one) => JSON.parse(one) as UiChunk);
  return { chunks, isDone: data.at(-1) === '[DONE]' };
}

const ANSWER = framesOf(started, delta('a'), delta('b'), delta('c'), completed);

describe('a UI message stream', () => {
  test('a completed turn becomes start, step, text and finish', () => {
    expect(takeFrames(uiStreamOf('msg'), framesOf(started, delta('hi'), completed)).chunks).toEqual([
      { type: 'start', messageId: 'msg' },
      { type: 'start-step' },
      { type: 'text-start', id: 'text' },
      { type: 'text-delta', id: 'text', delta: 'hi' },
      { type: 'text-end', id: 'text' },
      { type: 'finish-step' },
      { type: 'finish', finishReason: 'stop' },
    ]);
  });

  test('a cancelled turn ends with abort and finish, a failed one with error and finish', () => {
    const error = { code: 'internal', message: 'It broke.', retryable: true };
    const end = ['text-end', 'finish-step'];
    expect(typesOf(started, delta('a'), { type: 'turn.cancelled' }).slice(-4)).toEqual([
      ...end,
      'abort',
      'finish',
    ]);
    expect(typesOf(started, delta('a'), { type: 'turn.failed', error }).slice(-4)).toEqual([
      ...end,
      'error',
      'finish',
    ]);
  });

  test('an answer that starts over with other words ends its stream with an error', () => {
    const { chunks } = takeFrames(uiStreamOf('msg'), framesOf(started, delta('ab'), started, delta('ax')));
    expect(chunks.filter(({ type }) => type === 'text-delta')).toHaveLength(1);
    expect(chunks.slice(-2)).toMatchObject([{ type: 'error' }, { type: 'finish', finishReason: 'error' }]);
  });

  test('an answer of the simulator says so at its end', () => {
    const { chunks } = takeFrames(
      uiStreamOf('msg'),
      framesOf(started, delta('a', { simulated: true }), completed),
    );
    expect(chunks.at(-1)).toMatchObject({ messageMetadata: { simulated: true } });
  });
});

describe('an encoder of UI message streams', () => {
  test('a stream from any chunk on carries exactly the chunks that the first one lacked', () => {
    const { chunks } = written(new UiEncoder(SESSION, TURN), ANSWER);
    for (const [from] of chunks.entries()) {
      const rest = written(new UiEncoder(SESSION, TURN, from), ANSWER);
      expect(rest).toEqual({ chunks: chunks.slice(from), isDone: true });
    }
  });

  test('a merged stream has the text so far in one chunk and goes on with the next frame', () => {
    const { chunks } = written(UiEncoder.merged(SESSION, TURN, ANSWER.slice(0, 3)), ANSWER);
    expect(chunks.flatMap((chunk) => (chunk.type === 'text-delta' ? [chunk.delta] : []))).toEqual([
      'ab',
      'c',
    ]);
    expect(chunks.at(-1)).toMatchObject({ type: 'finish' });
  });

  test('a stream from a chunk that does not exist finishes with an error', () => {
    const { chunks, isDone } = written(new UiEncoder(SESSION, TURN, 99), ANSWER);
    expect(chunks).toMatchObject([{ type: 'error' }, { type: 'finish' }]);
    expect(isDone).toBe(true);
  });

  test('a stream from the middle of an answer that the log has lost finishes with an error', () => {
    const rebuilt = framesOf(started, delta('abc'), completed).map((frame) => ({ ...frame, offset: 0 }));
    expect(written(new UiEncoder(SESSION, TURN, 5), rebuilt).chunks.slice(-2)).toMatchObject([
      { type: 'error' },
      { type: 'finish', finishReason: 'error' },
    ]);
    expect(written(new UiEncoder(SESSION, TURN, 2), rebuilt).chunks).toContainEqual({
      ...{ type: 'text-delta', id: 'text', delta: 'abc' },
    });
  });

  test('a stream that ends before its turn is broken off and has no regular end', () => {
    const encoder = new UiEncoder(SESSION, TURN);
    const { chunks, isDone } = written(encoder, ANSWER.slice(0, 3), { kind: 'refused', code: 'draining' });
    expect(chunks.at(-1)).toMatchObject({ type: 'text-delta' });
    expect([isDone, encoder.isBroken]).toEqual([false, true]);
  });
});
