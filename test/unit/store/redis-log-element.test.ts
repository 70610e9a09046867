import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoredFrame } from '../../../src/store/contract.ts';
import { storedFrame } from '../../../src/store/log.ts';
import {
  elementsOf,
  framesOf,
  type LastDelta,
  readingFrom,
} from '../../../src/store/redis/texts/log-element.ts';
import {
  longEntry,
  longSnapshot,
  shortEntry,
  shortSnapshot,
} from '../../../src/store/redis/texts/short-texts.ts';

type Body = (offset: number) => string;

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '"}', '","text":"', '","simulated":true}', ',"turn_id":"', '\n\u0001\u0002', '🙂'),
);
const field = text.map((value) => JSON.stringify(value));
const delta = fc
  .record({
    epoch: fc.constantFrom(1, 2),
    turn: fc.constantFrom('a', 'b c', 'ü"'),
    text,
    extra: fc.constantFrom({}, { simulated: true }, { reasoning: 'r' }),
  })
  .map(
    ({ epoch, turn, text, extra }): Body =>
      (offset) =>
        JSON.stringify({ type: 'delta', offset, epoch, turn_id: turn, text, ...extra }),
  );
const other = fc
  .tuple(
    fc.constantFrom('state', 'turn.started', 'turn.completed', 'shared'),
    fc.constantFrom(
      '',
      ',"turn_id":"t","message_id":"m","queued":0,"content":"c"',
      ',"value":"idle","version":7',
    ),
    field,
  )
  .map(
    ([type, fields, value]): Body =>
      (offset) =>
        `{"type":"${type}","offset":${offset},"epoch":3${fields},"more":${value}}`,
  );
const odd = text.map(
  (data): Body =>
    () =>
      data,
);
const aux = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom('{"ids":[1,22]}', '{"ids":[]}', '{"ids":[1],"prompt":[2]}', '[]', ''),
  text,
);
/** Frames in writes, as an owner stores them. */
const writes = fc.array(
  fc.array(fc.tuple(fc.oneof({ weight: 5, arbitrary: delta }, other, odd), aux), { maxLength: 5 }),
  { maxLength: 25 },
);

function stored(groups: readonly (readonly (readonly [Body, string | undefined])[])[]) {
  const frames: StoredFrame[] = [];
  const elements: string[] = [];
  let before: LastDelta | null = null;
  for (const group of groups) {
    const written = group.map(([body, extra], index) => {
      const offset = frames.length + index + 1;
      return storedFrame(offset, body(offset), extra);
    });
    const made: ReturnType<typeof elementsOf> = elementsOf(written, before);
    if (written.length > 0) before = made.last;
    frames.push(...written);
    elements.push(...made.elements);
  }
  return { frames, elements };
}

describe('an element of a log', () => {
  it('a log is read byte for byte as it was written, from any offset on', () => {
    fc.assert(
      fc.property(writes, fc.nat({ max: 130 }), (groups, pick) => {
        const { frames, elements } = stored(groups);
        expect(framesOf(1, elements)).toEqual(frames);
        const offset = 1 + (pick % (frames.length + 1));
        const from = readingFrom(offset);
        const read = framesOf(from, elements.slice(from - 1)).filter((frame) => frame.offset >= offset);
        expect(read).toEqual(frames.slice(offset - 1));
      }),
      { numRuns: 500 },
    );
  });

  it('a delta of a turn takes little more than its text, and a write that names no former delta is whole', () => {
    const body = (offset: number) => ({
      type: 'delta',
      offset,
      epoch: 1_795_902_948_719,
      turn_id: 'fc69ce2a-a459-428e-b2ec-1db85a8baecf',
      text: ' said',
      simulated: true,
    });
    const frames = [1, 2, 3].map((offset) =>
      storedFrame(offset, JSON.stringify(body(offset)), '{"ids":[1790]}'),
    );
    const { elements, last } = elementsOf(frames);
    expect(elements.map((element) => element.length)).toEqual([64, 13, 13]);
    const [alone = ''] = elementsOf(frames.slice(2)).elements;
    expect(alone).toHaveLength(64);
    const next = storedFrame(4, JSON.stringify(body(4)));
    expect(elementsOf([next], last).elements[0]).toHaveLength(7);
    expect(elementsOf([next], { ...last!, offset: 2 }).elements[0]!.length).toBeGreaterThan(50);
  });

  it('a damaged element is a frame that no reader takes for another one', () => {
    for (const element of [
      '',
      '\u0002 said\u0003',
      '\u0001',
      '\u0001x',
      '\u0005{',
      '\u0006',
      '\u001b',
      '{"type":"delta",',
    ])
      expect(framesOf(7, [element])).toMatchObject([{ offset: 7, type: 'unreadable' }]);
  });
});

describe('short snapshots and entries', () => {
  it('a snapshot and an entry of the transcript are read byte for byte as they were written', () => {
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.json());
    fc.assert(fc.property(value, (snapshot) => longSnapshot(shortSnapshot(snapshot)) === snapshot));
    fc.assert(fc.property(fc.json(), (entry) => longEntry(shortEntry(entry)) === entry));
  });
});
