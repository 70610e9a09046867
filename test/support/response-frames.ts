/** Draws the frames of a turn for the laws of the Responses stream, and reads its events as OpenAI's own client does. */
import fc from 'fast-check';
import { ResponseStream as ClientStream } from 'openai/lib/responses/ResponseStream';
import { expect } from 'vitest';
import type { ResponseEvent } from '../../src/http/responses/response-event.ts';
import type { ResponseFacts } from '../../src/http/responses/response-object.ts';
import type { TurnFrame } from '../../src/http/turns/own-turn.ts';

export const FACTS: ResponseFacts = {
  sessionId: '6f1c2a9e-8a4e-4a57-9f0b-0d1f2c3b4a59',
  turnId: '0b8de2f4-1f0e-4a43-8d8e-6a2c1f4b7d11',
  isStored: true,
  createdAt: 1_000,
  previousResponseId: null,
  model: 'a model',
  isBackground: false,
  instructions: null,
  metadata: {},
  temperature: null,
  maxOutputTokens: null,
};

export const words = fc.string({ unit: 'grapheme', maxLength: 40 });
const piece = fc.record({ text: words, reasoning: fc.option(words, { nil: undefined, freq: 3 }) });

/** A try of an answer: its pieces. The last try of a turn ends it. */
export const turn = fc.record({
  isQueued: fc.boolean(),
  tries: fc.array(fc.array(piece, { maxLength: 6 }), { minLength: 1, maxLength: 3 }),
  end: fc.constantFrom('turn.completed', 'turn.failed', 'turn.cancelled'),
  /** Frames of others stand between those of the turn. */
  gaps: fc.array(fc.nat({ max: 3 }), { minLength: 3, maxLength: 3 }),
});
export type Drawn = typeof turn extends fc.Arbitrary<infer T> ? T : never;

export function framesOf({ isQueued, tries, end: type, gaps }: Drawn): readonly TurnFrame[] {
  const ids = { turn_id: FACTS.turnId, message_id: 'm' };
  const bodies = [
    ...(isQueued ? [{ type: 'message.queued', message_id: 'm', position: 1 }] : []),
    ...tries.flatMap((pieces, index) => [
      { type: 'turn.started', ...ids, queued: 0, content: 'q', ...(index > 0 && { restarts: index }) },
      ...pieces.map(({ text, reasoning }) => ({
        ...{ type: 'delta', turn_id: FACTS.turnId, text },
        ...(reasoning !== undefined && { reasoning }),
      })),
    ]),
    {
      ...{ type, ...ids, finish_reason: 'stop', reason: 'client' },
      error: { code: 'internal', message: 'It failed.', retryable: true },
      usage: { prompt_tokens: 3, completion_tokens: 4 },
      metadata: { model: 'a model', temperature: 0.7, max_tokens: 9, completed_at: 2_000 },
    },
  ];
  let offset = 0;
  return bodies.map((body, index) => {
    offset += 1 + (gaps[index % gaps.length] ?? 0);
    return { ...body, offset, epoch: 1 };
  }) as unknown as TurnFrame[];
}

export const deltasOf = (events: readonly ResponseEvent[]): string =>
  events.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('');

/** Fails at the first event that a strict client would refuse. */
export function checkOrder(events: readonly ResponseEvent[]): void {
  const items = new Set<string>();
  const open = new Set<string>();
  let last = -1;
  events.forEach((event, index) => {
    expect(event.sequence_number).toBeGreaterThan(last);
    last = event.sequence_number;
    expect(event.type === 'response.created').toBe(index === 0);
    const isEnd = /^(error|response\.(completed|incomplete|failed))$/.test(event.type);
    expect(isEnd).toBe(index === events.length - 1);
    switch (event.type) {
      case 'response.output_item.added':
        expect(items.has(event.item.id)).toBe(false);
        expect(open.size).toBe(0);
        expect(event.output_index).toBe(items.size);
        items.add(event.item.id);
        break;
      case 'response.content_part.added':
        expect(items.has(event.item_id)).toBe(true);
        open.add(event.item_id);
        break;
      case 'response.output_text.delta':
      case 'response.reasoning_text.delta':
        expect(open.has(event.item_id)).toBe(true);
        expect(event.delta).not.toBe('');
        break;
      case 'response.content_part.done':
        expect(open.delete(event.item_id)).toBe(true);
        break;
    }
  });
  if (events.at(-1)?.type !== 'error') expect(open.size).toBe(0);
}

/** The response that the stock client makes of the events; it throws where it finds them out of order. */
export function readByClient(events: readonly ResponseEvent[]) {
  const lines = events.map((event) => `${JSON.stringify(event)}\n`);
  const body = new Blob(lines).stream();
  return ClientStream.fromReadableStream(body).finalResponse();
}
