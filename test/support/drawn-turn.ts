/** Draws the frames of one turn, for the laws of the mappers: queued or not, started over or not, ended in any way. */
import fc from 'fast-check';
import type { TurnFrame } from '../../src/http/turns/own-turn.ts';

export const words = fc.string({ unit: 'grapheme', maxLength: 40 });
const piece = fc.record({ text: words, reasoning: fc.option(words, { nil: undefined, freq: 3 }) });

export const end = fc.constantFrom('turn.completed', 'turn.failed', 'turn.cancelled');

/** A try of an answer: its pieces. The last try of a turn ends it. */
export const turn = fc.record({
  isQueued: fc.boolean(),
  tries: fc.array(fc.array(piece, { maxLength: 6 }), { minLength: 1, maxLength: 3 }),
  end,
});
export type Drawn = typeof turn extends fc.Arbitrary<infer T> ? T : never;

/** The frames of the turn `t`, as they follow the frame `after` of the log. */
export function framesOf({ isQueued, tries, end: type }: Drawn, after = 0): readonly TurnFrame[] {
  const ids = { turn_id: 't', message_id: 'm' };
  const usage = { prompt_tokens: 1, completion_tokens: 2 };
  const bodies = [
    ...(isQueued ? [{ type: 'message.queued', message_id: 'm', position: 1 }] : []),
    ...tries.flatMap((pieces, index) => [
      { type: 'turn.started', ...ids, queued: 0, content: 'q', ...(index > 0 && { restarts: index }) },
      ...pieces.map(({ text, reasoning }) => ({
        ...{ type: 'delta', turn_id: 't', text },
        ...(reasoning !== undefined && { reasoning }),
      })),
    ]),
    {
      ...{ type, ...ids, finish_reason: 'stop', reason: 'client', usage, metadata: { model: 'small' } },
      error: { code: 'internal', message: 'It failed.', retryable: true },
    },
  ];
  return bodies.map((body, index) => ({
    ...body,
    offset: after + index + 1,
    epoch: 1,
  })) as unknown as TurnFrame[];
}

/** The text of the last try: what a reader of the whole turn has in the end. */
export const lastTry = ({ tries }: Drawn): string =>
  tries
    .at(-1)!
    .map(({ text }) => text)
    .join('');
