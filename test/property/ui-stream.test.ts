/** Laws for the mapper of the AI SDK's stream: every split of an answer, every point of a replay, every end. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergeTurn } from '../../src/http/ai-sdk/merged-turn.ts';
import type { UiChunk } from '../../src/http/ai-sdk/ui-chunk.ts';
import { takeFrame, takeFrames, uiStreamOf } from '../../src/http/ai-sdk/ui-stream.ts';
import type { TurnFrame } from '../../src/http/turns/own-turn.ts';
import { type Drawn, end, framesOf, lastTry, turn, words } from '../support/drawn-turn.ts';

const chunksOf = (frames: readonly TurnFrame[]) => takeFrames(uiStreamOf('msg'), frames).chunks;
const shownText = (chunks: readonly UiChunk[]) =>
  chunks.map((chunk) => (chunk.type === 'text-delta' ? chunk.delta : '')).join('');

/** Fails at the first chunk that a strict client would refuse. */
function checkOrder(chunks: readonly UiChunk[]): void {
  const open = new Set<string>();
  const known = new Set<string>();
  chunks.forEach((chunk, index) => {
    expect(chunk.type === 'start').toBe(index === 0);
    expect(chunk.type === 'finish').toBe(index === chunks.length - 1);
    switch (chunk.type) {
      case 'text-start':
      case 'reasoning-start':
        expect(known.has(chunk.id)).toBe(false);
        known.add(chunk.id);
        open.add(chunk.id);
        break;
      case 'text-delta':
      case 'reasoning-delta':
        expect(open.has(chunk.id)).toBe(true);
        expect(chunk.delta).not.toBe('');
        break;
      case 'text-end':
      case 'reasoning-end':
        expect(open.delete(chunk.id)).toBe(true);
        break;
      case 'finish-step':
        expect(open.size).toBe(0);
        break;
    }
  });
  expect(open.size).toBe(0);
  const count = (type: UiChunk['type']) => chunks.filter((chunk) => chunk.type === type).length;
  expect(count('start-step')).toBe(count('finish-step'));
  expect(count('text-start')).toBeLessThanOrEqual(1);
}

test('a UI message stream has a legal order and one end, whatever the turn was', () => {
  fc.assert(
    fc.property(turn, (drawn) => {
      checkOrder(chunksOf(framesOf(drawn)));
      checkOrder(chunksOf(mergeTurn(framesOf(drawn))));
    }),
  );
});

test('a completed UI message stream without an error shows exactly the text of the last try', () => {
  fc.assert(
    fc.property(turn, (drawn) => {
      const chunks = chunksOf(framesOf({ ...drawn, end: 'turn.completed' }));
      if (chunks.some(({ type }) => type === 'error')) expect(drawn.tries.length).toBeGreaterThan(1);
      else expect(shownText(chunks)).toBe(lastTry(drawn));
    }),
  );
});

test('a new try with the same words, split in any other way, shows the text once', () => {
  const halves = fc.tuple(fc.array(words), fc.array(words), words, end);
  fc.assert(
    fc.property(halves, ([said, cut, more, kind]) => {
      const text = said.join('');
      const pieces = (texts: readonly string[]) => texts.map((one) => ({ text: one, reasoning: undefined }));
      // The second try says the same text in other pieces, and goes on.
      const length = Math.min(text.length, cut.length);
      const again = [text.slice(0, length), text.slice(length), more];
      const drawn: Drawn = { isQueued: false, tries: [pieces(said), pieces(again)], end: kind };
      const chunks = chunksOf(framesOf(drawn));
      expect(shownText(chunks)).toBe(text + more);
      expect(chunks.some(({ type }) => type === 'error')).toBe(kind === 'turn.failed');
    }),
  );
});

test('a merged replay and the rest of the turn show exactly the text of the last try, from any point', () => {
  fc.assert(
    fc.property(turn, fc.nat(), (drawn, at) => {
      const frames = framesOf({ ...drawn, end: 'turn.completed' });
      const lastStart = frames.findLastIndex(({ type }) => type === 'turn.started');
      const point = lastStart + 1 + (at % (frames.length - lastStart));
      const replayed = takeFrames(uiStreamOf('msg'), mergeTurn(frames.slice(0, point)));
      const rest = takeFrames(replayed.stream, frames.slice(point));
      const chunks = [...replayed.chunks, ...rest.chunks];
      checkOrder(chunks);
      expect(shownText(chunks)).toBe(lastTry(drawn));
    }),
  );
});

test('a chunk keeps its index, however the frames arrive', () => {
  fc.assert(
    fc.property(turn, fc.nat(), (drawn, at) => {
      const frames = framesOf(drawn);
      const point = at % (frames.length + 1);
      const first = takeFrames(uiStreamOf('msg'), frames.slice(0, point));
      const one: UiChunk[] = [...first.chunks];
      let { stream } = first;
      for (const frame of frames.slice(point)) {
        const step = takeFrame(stream, frame);
        one.push(...step.chunks);
        stream = step.stream;
      }
      expect(one).toEqual(chunksOf(frames));
    }),
  );
});
