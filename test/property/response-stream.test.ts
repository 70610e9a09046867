/** Laws for the mapper of the Responses stream: every split of an answer, every point of a resume, every end. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endedStream, ResponseEncoder } from '../../src/http/responses/response-encoder.ts';
import { mergeDeltas, type ResponseEvent } from '../../src/http/responses/response-event.ts';
import { responseStreamOf, takeFrame } from '../../src/http/responses/response-stream.ts';
import { OwnTurn, type TurnFrame } from '../../src/http/turns/own-turn.ts';
import {
  checkOrder,
  type Drawn,
  deltasOf,
  FACTS,
  framesOf,
  readByClient,
  turn,
  words,
} from '../support/response-frames.ts';

function eventsOf(frames: readonly TurnFrame[]): readonly ResponseEvent[] {
  let stream = responseStreamOf(FACTS);
  return frames.flatMap((frame) => {
    const step = takeFrame(stream, frame);
    stream = step.stream;
    return step.events;
  });
}

/** The events of a text of server-sent events. */
function parsed(text: string): readonly ResponseEvent[] {
  const blocks = text.split('\n\n').filter((block) => block !== '' && block !== 'data: [DONE]');
  return blocks.map((block) => {
    const [, type, data = ''] = /^event: (\S+)\ndata: (.*)$/s.exec(block) ?? [];
    const event = JSON.parse(data) as ResponseEvent;
    expect(event.type).toBe(type);
    return event;
  });
}

const lastTry = ({ tries }: Drawn) =>
  tries
    .at(-1)!
    .map(({ text }) => text)
    .join('');
const hasError = (events: readonly ResponseEvent[]) => events.some(({ type }) => type === 'error');

test('a Responses stream has a legal order, growing numbers and one end, whatever the turn was', () => {
  fc.assert(
    fc.property(turn, (drawn) => {
      const events = eventsOf(framesOf(drawn));
      checkOrder(events);
      checkOrder(mergeDeltas(events));
    }),
  );
});

test('a completed Responses stream without an error has exactly the text of the last try', () => {
  fc.assert(
    fc.property(turn, (drawn) => {
      const events = eventsOf(framesOf({ ...drawn, end: 'turn.completed' }));
      if (hasError(events)) expect(drawn.tries.length).toBeGreaterThan(1);
      else expect(deltasOf(events)).toBe(lastTry(drawn));
    }),
  );
});

test('the client of OpenAI reads from a Responses stream the text that its deltas have', async () => {
  await fc.assert(
    fc.asyncProperty(turn, async (drawn) => {
      const events = eventsOf(framesOf(drawn));
      if (hasError(events)) return;
      for (const given of [events, mergeDeltas(events)]) {
        const response = await readByClient(given);
        const message = response.output.find(({ type }) => type === 'message');
        const texts = message?.type === 'message' ? message.content : [];
        expect(texts.map((part) => (part.type === 'output_text' ? part.text : '')).join('')).toBe(
          deltasOf(events),
        );
      }
    }),
  );
});

test('a stream that is resumed after any of its events gives exactly the rest, while the turn runs and after its end', () => {
  fc.assert(
    fc.property(turn, fc.nat(), fc.nat(), (drawn, cut, point) => {
      const frames = framesOf(drawn);
      const events = eventsOf(frames);
      const seen = events.slice(0, (cut % events.length) + 1);
      const after = seen.at(-1)!.sequence_number;
      const logged = frames.slice(0, (point % frames.length) + 1);
      const encoder = new ResponseEncoder(FACTS, { after, frames: logged });
      const own = new OwnTurn(FACTS.turnId, 'm');
      const text = frames.flatMap((frame) => encoder.frame(own.take(frame)!)).join('');
      const end = own.endIn(frames.at(-1)!)!;
      const live = parsed(text + encoder.end(end).join(''));
      const ended = parsed([...endedStream(FACTS, frames, false, after)].join(''));
      for (const rest of [live, ended]) {
        expect(rest.every(({ sequence_number }) => sequence_number > after)).toBe(true);
        expect(deltasOf([...seen, ...rest])).toBe(deltasOf(events));
        checkOrder([...seen, ...rest]);
        if (seen.length < events.length) expect(rest.at(-1)).toEqual(events.at(-1));
      }
    }),
  );
});

test('a client that reads the whole replay and drops what it has by the numbers gets exactly the rest', () => {
  fc.assert(
    fc.property(turn, fc.nat(), (drawn, cut) => {
      const frames = framesOf(drawn);
      const events = eventsOf(frames);
      const seen = events.slice(0, (cut % events.length) + 1);
      const whole = parsed([...endedStream(FACTS, frames, false, 0)].join(''));
      const after = seen.at(-1)!.sequence_number;
      expect([...seen, ...whole.filter(({ sequence_number }) => sequence_number > after)]).toEqual(events);
    }),
  );
});

test('a new try with the same words, split in any other way, shows the text once', () => {
  fc.assert(
    fc.property(fc.array(words), fc.nat(), words, turn, (said, cut, more, drawn) => {
      const text = said.join('');
      const pieces = (texts: readonly string[]) => texts.map((one) => ({ text: one, reasoning: undefined }));
      const length = cut % (text.length + 1);
      const again = [text.slice(0, length), text.slice(length), more];
      const tries = [pieces(said), pieces(again)];
      expect(deltasOf(eventsOf(framesOf({ ...drawn, tries })))).toBe(text + more);
    }),
  );
});
