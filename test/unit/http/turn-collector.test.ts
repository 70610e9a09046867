import { describe, expect, test } from 'vitest';
import { derivedUuid } from '../../../src/http/core/derived-uuid.ts';
import { TurnCollector } from '../../../src/http/turns/turn-collector.ts';

interface Scene {
  readonly collector: TurnCollector;
  readonly heard: string[];
  readonly told: { taken: number; resets: number };
  say(...frames: readonly object[]): boolean;
}

/** A listener for the message `m`, or for whatever turn comes. */
function listening(messageId: string | null = 'm', after = 0): Scene {
  const heard: string[] = [];
  const told = { taken: 0, resets: 0 };
  const listener = {
    onFrame: (_: string, frame: { readonly type: string }) => heard.push(frame.type) < 100,
    onTaken: () => {
      told.taken += 1;
    },
  };
  const collector = new TurnCollector(messageId, after, listener, () => {
    told.resets += 1;
  });
  return {
    collector,
    heard,
    told,
    say: (...frames) => collector.send(frames.map((one) => JSON.stringify(one))),
  };
}

const started = (offset: number, turn = 't', message = 'm', more = {}) => ({
  ...{ type: 'turn.started', offset, turn_id: turn, message_id: message, ...more },
});
const delta = (offset: number, text: string, turn_id = 't') => ({ type: 'delta', offset, turn_id, text });
const completed = (offset: number, turn_id = 't') => ({ type: 'turn.completed', offset, turn_id });

describe('who waits for the end of a turn', () => {
  test('gets its text, whatever other turns say around it', async () => {
    const { collector, say, told } = listening();
    say(started(1, 'x', 'other'), delta(2, 'no', 'x'), completed(3, 'x'));
    say(started(4), delta(5, 'y'), delta(6, 'es'), completed(7));
    expect(await collector.result).toMatchObject({ kind: 'completed', text: 'yes', frame: { offset: 7 } });
    expect(told.taken).toBe(1);
  });

  test('knows a turn in which its message was merged with another', async () => {
    const { collector, say } = listening();
    say(started(1, 't', 'last', { message_ids: ['m', 'last'] }), delta(2, 'yes'), completed(3));
    expect(await collector.result).toMatchObject({ kind: 'completed', text: 'yes' });
  });

  describe('under an Idempotency-Key', () => {
    const key = `key-${'k'.repeat(43)}`;
    const mine = `${key}.${'a'.repeat(16)}`;
    const other = `${key}.${'b'.repeat(16)}`;
    const mismatch = { kind: 'refused', code: 'idempotency_mismatch' };

    test('gets the turn of the same request', async () => {
      const { collector, say } = listening(mine);
      say(started(1, 't', mine), delta(2, 'yes'), completed(3));
      expect(await collector.result).toMatchObject({ kind: 'completed', text: 'yes' });
    });

    test('gets the turn of a request that an older version stored without its body', async () => {
      const { collector, say } = listening(mine);
      say(started(1, 't', key), delta(2, 'yes'), completed(3));
      expect(await collector.result).toMatchObject({ kind: 'completed', text: 'yes' });
    });

    test.each([
      ['a turn', started(1, 't', other)],
      ['a turn in which it was merged', started(1, 't', 'last', { message_ids: [other, 'last'] })],
      ['a message that waits', { type: 'message.queued', offset: 1, message_id: other, position: 1 }],
    ])('is refused where the key named another request, of %s', async (_, frame) => {
      const { collector, say, told } = listening(mine);
      say(frame, delta(2, 'not for you'), completed(3));
      expect(await collector.result).toEqual(mismatch);
      expect(told.taken).toBe(0);
    });
  });

  test.each(['m', null])(
    'gets the new text alone of an answer that starts over (message %s)',
    async (message) => {
      const { collector, say, heard } = listening(message);
      say(started(1), delta(2, 'Take an EC'), started(3, 't', 'm', { restarts: 1 }), delta(4, 'Rest.'));
      say(completed(5));
      expect(await collector.result).toMatchObject({ kind: 'completed', text: 'Rest.' });
      expect(heard).toEqual(['turn.started', 'delta', 'turn.started', 'delta', 'turn.completed']);
    },
  );

  test('hears nothing of what is said after that end', () => {
    const { say, heard } = listening();
    say(started(1), completed(2), { type: 'state', offset: 3, value: 'idle' });
    expect(heard).toEqual(['turn.started', 'turn.completed']);
  });

  test('is told that part of the text was not heard, where the log was trimmed in the middle', async () => {
    const { collector, say, told } = listening();
    say(started(1), delta(2, 'lost'), { type: 'reset', offset: 9 }, delta(10, 'rest'), completed(11));
    expect(await collector.result).toMatchObject({ kind: 'completed', text: null });
    expect(told.resets).toBe(1);
  });

  test('is not kept waiting for a turn of which the log says nothing more', async () => {
    const { collector, say } = listening();
    collector.concludeAt(3, 'duplicate_message');
    say(started(1, 'x', 'other'), delta(2, 'no', 'x'), completed(3, 'x'));
    expect(await collector.result).toEqual({ kind: 'refused', code: 'duplicate_message' });
  });

  test('still hears the end that is in the log before that', async () => {
    const { collector, say } = listening();
    collector.concludeAt(3, 'duplicate_message');
    say(started(1), delta(2, 'yes'), completed(3));
    expect(await collector.result).toMatchObject({ kind: 'completed', text: 'yes' });
  });

  test('without a message of its own hears the turn that goes on after what it saw', async () => {
    const { collector, say, told } = listening(null, 5);
    say({ type: 'welcome', offset: 9 });
    expect(told.taken).toBe(1);
    say(delta(6, 'the rest'), completed(7));
    expect(await collector.result).toMatchObject({ kind: 'completed', text: null });
  });

  test('gets one result, whatever comes later', async () => {
    const { collector, say } = listening();
    collector.refuse('session_busy', 'another');
    collector.refuse('session_busy', 'm');
    say(started(1), completed(2));
    collector.end('closed');
    expect(await collector.result).toEqual({ kind: 'refused', code: 'session_busy' });
  });
});

describe('a derived id', () => {
  test('is a UUID, the same for the same words and another for others', () => {
    const id = derivedUuid('a', 'b');
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(derivedUuid('a', 'b')).toBe(id);
    expect(derivedUuid('ab')).not.toBe(derivedUuid('a', 'b'));
    expect(derivedUuid('a,b')).not.toBe(id);
  });
});
