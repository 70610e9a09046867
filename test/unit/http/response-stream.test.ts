import { describe, expect, it } from 'vitest';
import { errorBody } from '../../../src/errors.ts';
import { problem } from '../../../src/http/core/answer.ts';
import { openaiErrors } from '../../../src/http/responses/openai-error.ts';
import { endedStream, ResponseEncoder } from '../../../src/http/responses/response-encoder.ts';
import { responseStreamOf, takeFrame } from '../../../src/http/responses/response-stream.ts';
import type { TurnFrame } from '../../../src/http/turns/own-turn.ts';
import { type Drawn, FACTS, framesOf } from '../../support/response-frames.ts';

const PLAIN: Drawn = {
  isQueued: false,
  tries: [
    [
      { text: 'Rest', reasoning: undefined },
      { text: ' well.', reasoning: undefined },
    ],
  ],
  end: 'turn.completed',
  gaps: [0, 0, 0],
};

function eventsOf(drawn: Drawn) {
  let stream = responseStreamOf(FACTS);
  return framesOf(drawn).flatMap((frame) => {
    const step = takeFrame(stream, frame);
    stream = step.stream;
    return step.events;
  });
}

const typesIn = (text: string) => [...text.matchAll(/^event: (\S+)$/gm)].map(([, type]) => type);

describe('the stream of a response', () => {
  it('the events of a response have the order of the protocol and numbers that follow from the offsets', () => {
    expect(eventsOf(PLAIN).map(({ type, sequence_number }) => [type, sequence_number])).toEqual([
      ['response.created', 16],
      ['response.in_progress', 17],
      ['response.output_item.added', 32],
      ['response.content_part.added', 33],
      ['response.output_text.delta', 34],
      ['response.output_text.delta', 48],
      ['response.output_text.done', 64],
      ['response.content_part.done', 65],
      ['response.output_item.done', 66],
      ['response.completed', 67],
    ]);
  });

  it('reasoning is an item of its own before the answer', () => {
    const types = eventsOf({ ...PLAIN, tries: [[{ text: 'Rest.', reasoning: 'Hm.' }]] }).map(
      ({ type }) => type,
    );
    expect(types.slice(2, 11)).toEqual([
      'response.output_item.added',
      'response.content_part.added',
      'response.reasoning_text.delta',
      'response.reasoning_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
    ]);
  });

  it('a cancelled response ends as incomplete, and its status says that it was cancelled', () => {
    const [item, last] = eventsOf({ ...PLAIN, end: 'turn.cancelled' }).slice(-2);
    expect(item).toMatchObject({ type: 'response.output_item.done', item: { status: 'incomplete' } });
    expect(last).toMatchObject({ type: 'response.incomplete', response: { status: 'cancelled' } });
  });

  it('a response that waits in the queue says so before it is in progress', () => {
    const types = eventsOf({ ...PLAIN, isQueued: true }).map(({ type }) => type);
    expect(types.slice(0, 3)).toEqual(['response.created', 'response.queued', 'response.in_progress']);
  });

  it('a new try whose text differs from the sent text ends the stream with an error', () => {
    const [first = []] = PLAIN.tries;
    const events = eventsOf({ ...PLAIN, tries: [first, [{ text: 'No.', reasoning: undefined }]] });
    expect(events.at(-1)).toMatchObject({ type: 'error', code: 'stream_lost', param: null });
  });

  it('a stream that breaks off before its turn ends says so, and has no regular end', () => {
    const encoder = new ResponseEncoder(FACTS);
    const frames = framesOf(PLAIN).slice(0, 2);
    const begun = frames.flatMap((frame) => encoder.frame(frame)).join('');
    const rest = encoder.end({ kind: 'refused', code: 'session_moved' }).join('');
    expect(typesIn(begun + rest).at(-1)).toBe('error');
    expect(rest).toContain(errorBody('session_moved').message);
    expect(rest.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it('once the log has lost a turn, a reader in the middle gets the closing events alone, above its number', () => {
    const rebuilt = framesOf(PLAIN).map((frame) => ({ ...frame, offset: 0, epoch: 0 })) as TurnFrame[];
    const resumed = [...endedStream(FACTS, rebuilt, true, 900)].join('');
    expect(typesIn(resumed)).toEqual([
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(resumed).toContain('"sequence_number":901');
    const whole = [...endedStream(FACTS, rebuilt, true, 0)].join('');
    expect(typesIn(whole)[0]).toBe('response.created');
  });
});

describe('errors in the form of OpenAI', () => {
  const written = (code: Parameters<typeof problem>[0], detail?: string) => {
    const reply = openaiErrors.write(problem(code, 'request', detail));
    return { reply, error: (JSON.parse(String(reply.body)) as { error: object }).error };
  };

  it('an error names the parameter at fault', () => {
    expect(written('unsupported_parameter', 'input[0].content[1].type: is not text').error).toEqual({
      message: 'input[0].content[1].type: is not text',
      type: 'invalid_request_error',
      code: 'unsupported_parameter',
      param: 'input[0].content[1].type',
      request_id: 'request',
    });
    expect(written('forbidden').error).toMatchObject({ type: 'permission_error', param: null });
  });

  it('clients that repeat a request by its status are told not to where a repetition is refused again', () => {
    expect(written('too_many_sessions').reply.headers).toMatchObject({ 'x-should-retry': 'false' });
    expect(written('overloaded').reply.headers).not.toHaveProperty('x-should-retry');
    expect(written('not_found').reply.headers).not.toHaveProperty('x-should-retry');
  });
});
