/** Laws for the mapper of AG-UI's events: every split of an answer, every point of a replay, every end. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AgUiEncoder } from '../../src/http/ag-ui/agui-encoder.ts';
import type { AgUiEvent } from '../../src/http/ag-ui/agui-event.ts';
import type { AgUiRun } from '../../src/http/ag-ui/agui-stream.ts';
import { seenPieceIn } from '../../src/http/turns/encoder.ts';
import type { TurnFrame } from '../../src/http/turns/own-turn.ts';
import type { TurnResult } from '../../src/http/turns/turn-collector.ts';
import { TurnStream } from '../../src/http/turns/turn-stream.ts';
import { type Drawn, end, framesOf, lastTry, turn, words } from '../support/drawn-turn.ts';

const EARLIER = [{ id: 'q0', role: 'user', content: 'before' }];
const run: AgUiRun = {
  ...{ threadId: 'thread', runId: 'run', sessionId: 's', turnId: '0b8de2f4-1f0e-4a43-8d8e-6a2c1f4b7d11' },
  ...{ earlier: EARLIER, asked: [{ id: 'q1', role: 'user', content: 'q' }], state: { theme: 'dark' } },
};

interface Sent {
  readonly id: string | null;
  readonly event: AgUiEvent;
}

/** What a client gets that has the event `lastEventId`. */
async function eventsFor(frames: readonly TurnFrame[], lastEventId = ''): Promise<readonly Sent[]> {
  const encoder = new AgUiEncoder(run);
  const stream = new TurnStream(encoder, seenPieceIn(lastEventId));
  const written: string[] = [];
  stream.begin({
    write: (text) => written.push(text) > 0,
    drained: async () => true,
    end: () => {},
    fail: () => {},
  });
  await stream.replay(frames);
  const text = [...written, ...encoder.last('idle')].join('');
  return text.split('\n\n').flatMap((block) => {
    const [, id = null, data = ''] = /^(?:id: ([\d.]*)\n)?data: (.*)$/s.exec(block) ?? [];
    return data === '' ? [] : [{ id, event: JSON.parse(data) as AgUiEvent }];
  });
}

/** The messages of a client that applies each event as the protocol says, or an error at an event out of order. */
function shown(events: readonly AgUiEvent[]): ReadonlyMap<string, string> {
  let messages = new Map(run.asked?.map(({ id, content }) => [id, String(content)]));
  const open = new Set<string>();
  events.forEach((event, index) => {
    expect(event.type === 'RUN_STARTED').toBe(index === 0);
    const isLast = event.type === 'RUN_FINISHED' || event.type === 'RUN_ERROR';
    expect(isLast).toBe(index === events.length - 1);
    switch (event.type) {
      case 'TEXT_MESSAGE_START':
      case 'REASONING_MESSAGE_START':
        expect(open.has(event.messageId)).toBe(false);
        open.add(event.messageId);
        if (event.type === 'TEXT_MESSAGE_START') {
          expect(messages.has(event.messageId)).toBe(false);
          messages.set(event.messageId, '');
        }
        break;
      case 'TEXT_MESSAGE_CONTENT':
        expect(event.delta).not.toBe('');
        expect(open.has(event.messageId)).toBe(true);
        messages.set(event.messageId, `${messages.get(event.messageId)}${event.delta}`);
        break;
      case 'REASONING_MESSAGE_CONTENT':
        expect(event.delta).not.toBe('');
        expect(open.has(event.messageId)).toBe(true);
        break;
      case 'TEXT_MESSAGE_END':
      case 'REASONING_MESSAGE_END':
        expect(open.delete(event.messageId)).toBe(true);
        break;
      case 'MESSAGES_SNAPSHOT':
        expect(open.size).toBe(0);
        messages = new Map(event.messages.map(({ id, content }) => [id, String(content)]));
        break;
    }
  });
  expect(open.size).toBe(0);
  return messages;
}

const answerIn = (sent: readonly Sent[]) => {
  const messages = shown(sent.map(({ event }) => event));
  expect(messages.get('q1')).toBe('q');
  return messages.get(`msg_a${run.turnId.replaceAll('-', '')}`) ?? '';
};

test('a run of AG-UI shows exactly the text of the last try, in a legal order, whatever the turn was', async () => {
  await fc.assert(
    fc.asyncProperty(turn, async (drawn) => {
      expect(answerIn(await eventsFor(framesOf(drawn, 2)))).toBe(lastTry(drawn));
    }),
  );
});

test('a client that resumes a run after any event gets exactly the events that it lacks, under the same ids', async () => {
  await fc.assert(
    fc.asyncProperty(turn, fc.nat(), async (drawn, at) => {
      const frames = framesOf(drawn, 2);
      const whole = await eventsFor(frames);
      const ids = whole.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).not.toContain(null);
      // A client that has the last event has no reason to resume.
      const point = at % (whole.length - 2);
      expect(await eventsFor(frames, ids[point] ?? '')).toEqual(whole.slice(point + 1));
    }),
  );
});

test('a new try with the same words, split in any other way, takes nothing back', async () => {
  const halves = fc.tuple(fc.array(words), fc.array(words), words, end);
  await fc.assert(
    fc.asyncProperty(halves, async ([said, cut, more, kind]) => {
      const text = said.join('');
      const pieces = (texts: readonly string[]) => texts.map((one) => ({ text: one, reasoning: undefined }));
      const length = Math.min(text.length, cut.length);
      const again = [text.slice(0, length), text.slice(length), more];
      const drawn: Drawn = { isQueued: false, tries: [pieces(said), pieces(again)], end: kind };
      const sent = await eventsFor(framesOf(drawn, 2));
      expect(answerIn(sent)).toBe(text + more);
      expect(sent.some(({ event }) => event.type === 'MESSAGES_SNAPSHOT')).toBe(false);
    }),
  );
});

test('a client with an unknown part of a turn that the log has lost shows exactly its text', async () => {
  await fc.assert(
    fc.asyncProperty(words, words, async (had, text) => {
      const ids = { turn_id: 't', message_id: 'm' };
      const place = { offset: 9, epoch: 1 };
      const rebuilt = [
        { type: 'turn.started', ...place, ...ids, queued: 0, content: 'q', restarts: 1 },
        ...(text === '' ? [] : [{ type: 'delta', ...place, turn_id: 't', text }]),
        { type: 'turn.cancelled', ...place, ...ids, reason: 'client' },
      ] as unknown as TurnFrame[];
      const messageId = `msg_a${run.turnId.replaceAll('-', '')}`;
      const before: AgUiEvent[] = [
        { type: 'RUN_STARTED', threadId: 'thread', runId: 'run' },
        { type: 'TEXT_MESSAGE_START', messageId, role: 'assistant' },
        ...(had === '' ? [] : [{ type: 'TEXT_MESSAGE_CONTENT', messageId, delta: had } as const]),
        { type: 'TEXT_MESSAGE_END', messageId },
      ];
      const rest = (await eventsFor(rebuilt)).map(({ event }) => event).slice(1);
      expect(shown([...before, ...rest]).get(messageId) ?? '').toBe(text);
    }),
  );
});

test('a run whose stream ends before its turn breaks off if a later request gets the rest, else ends with an error', () => {
  const refused = (code: 'slow_consumer' | 'identity_ended'): TurnResult => ({ kind: 'refused', code });
  const slow = new AgUiEncoder(run);
  slow.end(refused('slow_consumer'));
  expect(slow.isBroken).toBe(true);
  const ended = new AgUiEncoder(run);
  ended.end(refused('identity_ended'));
  expect(ended.isBroken).toBe(false);
  expect(ended.last('idle').join('')).toContain('"code":"identity_ended"');
});
