import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  assemble,
  type ClientConversation,
  emptyConversation,
  startOver,
} from '../../../src/client/assembler.ts';
import type { DurableFrame } from '../../../src/protocol/server-frames.ts';

type Body = DurableFrame extends infer F
  ? F extends DurableFrame
    ? Omit<F, 'offset' | 'epoch'>
    : never
  : never;

function log(bodies: readonly Body[]): readonly DurableFrame[] {
  return bodies.map((body, index) => ({ ...body, offset: index + 1, epoch: 1 }) as DurableFrame);
}

const started = (turn: string): Body => ({
  type: 'turn.started',
  turn_id: turn,
  message_id: `m-${turn}`,
  queued: 0,
  content: `question of ${turn}`,
});
const delta = (turn: string, text: string): Body => ({ type: 'delta', turn_id: turn, text });
const cancelled = (turn: string): Body => ({
  type: 'turn.cancelled',
  turn_id: turn,
  message_id: `m-${turn}`,
  reason: 'client',
});
const failed = (turn: string): Body => ({
  type: 'turn.failed',
  turn_id: turn,
  message_id: `m-${turn}`,
  error: { code: 'upstream_error', message: '', retryable: true },
});

function all(
  frames: readonly DurableFrame[],
  from: ClientConversation = emptyConversation(),
): ClientConversation {
  let conversation = from;
  for (const frame of frames) {
    const assembled = assemble(conversation, frame);
    if (assembled.kind !== 'advanced') throw new Error(assembled.kind);
    conversation = assembled.conversation;
  }
  return conversation;
}

describe('the assembler', () => {
  it('a client drops the text and the thoughts of an answer that starts over', () => {
    const again = { ...started('a'), restarts: 1 } as Body;
    const { turns } = all(
      log([
        started('a'),
        { type: 'delta', turn_id: 'a', text: 'Take an EC', reasoning: 'hm' },
        again,
        delta('a', 'Rest.'),
      ]),
    );
    expect(turns).toMatchObject([
      { turnId: 'a', text: 'Rest.', reasoning: '', outcome: { kind: 'running' } },
    ]);
  });

  it('a client joins the deltas of each turn', () => {
    const { turns, offset } = all(
      log([
        started('a'),
        delta('a', 'one '),
        delta('a', 'two'),
        cancelled('a'),
        started('b'),
        delta('b', 'three'),
      ]),
    );
    expect(offset).toBe(6);
    expect(turns.map(({ turnId, messageId, text }) => [turnId, messageId, text])).toEqual([
      ['a', 'm-a', 'one two'],
      ['b', 'm-b', 'three'],
    ]);
    expect(turns.map(({ outcome }) => outcome.kind)).toEqual(['cancelled', 'running']);
  });

  it('a client knows the question of a turn from its start', () => {
    expect(all(log([started('a')])).turns).toMatchObject([{ turnId: 'a', question: 'question of a' }]);
  });

  it('a client drops a frame that it has seen', () => {
    const frames = log([started('a'), delta('a', 'once')]);
    const conversation = all(frames);
    for (const frame of frames) expect(assemble(conversation, frame)).toEqual({ kind: 'repeated' });
  });

  it('a client names the missing frame, and takes no frame beyond it', () => {
    const [first, , third] = log([started('a'), delta('a', 'lost'), delta('a', 'found')]);
    expect(assemble(all([first!]), third!)).toEqual({ kind: 'gap', expected: 2 });
  });

  it('a client moves past frames of an unknown kind', () => {
    const later = { type: 'not.invented.yet', offset: 2, epoch: 1 } as unknown as DurableFrame;
    const [first, , third] = log([started('a'), delta('a', ''), delta('a', 'text')]);
    expect(all([first!, later, third!]).turns[0]?.text).toBe('text');
  });

  it('a client that joins in the middle of a turn shows the rest of it', () => {
    const [, , third] = log([started('a'), delta('a', 'missed '), delta('a', 'seen')]);
    const [turn] = all([third!], emptyConversation(2)).turns;
    expect(turn).toMatchObject({ turnId: 'a', messageId: null, text: 'seen' });
  });

  it('a client takes the transcript of a reset, and starts a running turn from its beginning', () => {
    const at = 0;
    const conversation = startOver({
      type: 'reset',
      reason: 'trimmed',
      offset: 40,
      epoch: 7,
      state: 'processing',
      transcript: [
        { role: 'user', content: 'first?', turn_id: 'a', at },
        { role: 'assistant', content: 'first.', turn_id: 'a', at },
        { role: 'user', content: 'second?', turn_id: 'b', at },
      ],
    });
    expect(conversation.turns.map(({ question, text }) => [question, text])).toEqual([
      ['first?', 'first.'],
      ['second?', ''],
    ]);
    const frames = log([started('b'), delta('b', 'second'), failed('b')]).map((frame) => ({
      ...frame,
      offset: frame.offset + 40,
    }));
    const { turns, offset } = all(frames, conversation);
    expect(offset).toBe(43);
    expect(turns[1]).toMatchObject({
      question: 'second?',
      messageId: 'm-b',
      text: 'second',
      outcome: { kind: 'failed', code: 'upstream_error' },
    });
  });
});

const bodies = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.string()) },
      { weight: 1, arbitrary: fc.constantFrom('a', 'b', 'c') },
    ),
    { minLength: 1, maxLength: 60 },
  )
  .map((parts) => parts.map((part) => (typeof part === 'string' ? cancelled(part) : delta(...part))));

describe('the assembler over broken connections', () => {
  it('a conversation has the same text, whatever its connections lost, repeated or left out', () => {
    const disturbance = fc.record({
      /** How far before the requested offset the replay begins. */
      overlap: fc.nat(5),
      /** How many frames come before the connection breaks. */
      length: fc.integer({ min: 1, max: 20 }),
      /** The place of a frame that this connection leaves out. */
      omitted: fc.option(fc.nat(20), { nil: null }),
    });
    fc.assert(
      fc.property(bodies, fc.array(disturbance), (written, disturbances) => {
        const frames = log(written);
        let conversation = emptyConversation();
        const connection = (overlap: number, length: number, omitted: number | null): void => {
          const from = Math.max(0, conversation.offset - overlap);
          for (const [place, frame] of frames.slice(from, from + length).entries()) {
            if (place === omitted) continue;
            const before = conversation;
            const assembled = assemble(before, frame);
            if (frame.offset <= before.offset) expect(assembled.kind).toBe('repeated');
            else if (frame.offset > before.offset + 1) expect(assembled.kind).toBe('gap');
            else expect(assembled.kind).toBe('advanced');
            // A gap ends the connection; the next one asks for the missing frames.
            if (assembled.kind === 'gap') return;
            if (assembled.kind === 'advanced') conversation = assembled.conversation;
          }
        };
        for (const { overlap, length, omitted } of disturbances) connection(overlap, length, omitted);
        connection(0, frames.length, null);
        expect(conversation).toEqual(all(frames));
        for (const { turnId, text } of conversation.turns) {
          const pieces = frames.flatMap((frame) =>
            frame.type === 'delta' && frame.turn_id === turnId ? [frame.text] : [],
          );
          expect(text).toBe(pieces.join(''));
        }
      }),
    );
  });
});
