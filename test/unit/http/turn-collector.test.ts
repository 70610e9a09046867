import { describe, expect, test } from 'vitest';
import { TurnCollector } from '../../../src/http/turns/turn-collector.ts';
import { derivedUuid } from '../../../src/protocol/derived-uuid.ts';

interface Fixture {
  readonly collector: TurnCollector;
  readonly frames: string[];
  readonly seen: { taken: number; resets: number };
  send(...frames: readonly object[]): boolean;
}

/** A collector for the message `m`, or with null for the next turn. */
function collecting(messageId: string | null = 'm', after = 0): Fixture {
  const frames: string[] = [];
  const seen = { taken: 0, resets: 0 };
  const listener = {
    onFrame: (_: string, frame: { readonly type: string }) => frames.push(frame.type) < 100,
    onTaken: () => {
      seen.taken += 1;
    },
  };
  const collector = new TurnCollector(messageId, after, listener, () => {
    seen.resets += 1;
  });
  return {
    collector,
    frames,
    seen,
    send: (...frames) => collector.send(frames.map((one) => JSON.stringify(one))),
  };
}

const started = (offset: number, turn = 't', message = 'm', more = {}) => ({
  ...{ type: 'turn.started', offset, turn_id: turn, message_id: message, ...more },
});
const delta = (offset: number, text: string, turn_id = 't') => ({ type: 'delta', offset, turn_id, text });
const completed = (offset: number, turn_id = 't') => ({ type: 'turn.completed', offset, turn_id });

describe('a turn collector', () => {
  test('a turn collector returns the text of its own turn, not of the turns around it', async () => {
    const { collector, send, seen } = collecting();
    send(started(1, 'x', 'other'), delta(2, 'no', 'x'), completed(3, 'x'));
    send(started(4), delta(5, 'y'), delta(6, 'es'), completed(7));
    expect(await collector.result).toMatchObject({ kind: 'completed', text: 'yes', frame: { offset: 7 } });
    expect(seen.taken).toBe(1);
  });

  test('a turn collector recognises a turn that merged its message with another', async () => {
    const { collector, send } = collecting();
    send(started(1, 't', 'last', { message_ids: ['m', 'last'] }), delta(2, 'yes'), completed(3));
    expect(await collector.result).toMatchObject({ kind: 'completed', text: 'yes' });
  });

  describe('with an Idempotency-Key', () => {
    const key = `key-${'k'.repeat(43)}`;
    const mine = `${key}.${'a'.repeat(16)}`;
    const other = `${key}.${'b'.repeat(16)}`;
    const mismatch = { kind: 'refused', code: 'idempotency_mismatch' };

    test('a request with an Idempotency-Key gets the turn of the same request', async () => {
      const { collector, send } = collecting(mine);
      send(started(1, 't', mine), delta(2, 'yes'), completed(3));
      expect(await collector.result).toMatchObject({ kind: 'completed', text: 'yes' });
    });

    test('a request with an Idempotency-Key gets the turn that an older version stored without a body digest', async () => {
      const { collector, send } = collecting(mine);
      send(started(1, 't', key), delta(2, 'yes'), completed(3));
      expect(await collector.result).toMatchObject({ kind: 'completed', text: 'yes' });
    });

    test.each([
      ['turn', started(1, 't', other)],
      ['merged turn', started(1, 't', 'last', { message_ids: [other, 'last'] })],
      ['queued message', { type: 'message.queued', offset: 1, message_id: other, position: 1 }],
    ])('a request whose Idempotency-Key named another request is refused: %s', async (_, frame) => {
      const { collector, send, seen } = collecting(mine);
      send(frame, delta(2, 'not for you'), completed(3));
      expect(await collector.result).toEqual(mismatch);
      expect(seen.taken).toBe(0);
    });
  });

  test.each(['m', null])(
    'a turn collector returns only the new text of an answer that restarts (message %s)',
    async (message) => {
      const { collector, send, frames } = collecting(message);
      send(started(1), delta(2, 'Take an EC'), started(3, 't', 'm', { restarts: 1 }), delta(4, 'Rest.'));
      send(completed(5));
      expect(await collector.result).toMatchObject({ kind: 'completed', text: 'Rest.' });
      expect(frames).toEqual(['turn.started', 'delta', 'turn.started', 'delta', 'turn.completed']);
    },
  );

  test('a turn collector ignores frames after the end of its turn', () => {
    const { send, frames } = collecting();
    send(started(1), completed(2), { type: 'state', offset: 3, value: 'idle' });
    expect(frames).toEqual(['turn.started', 'turn.completed']);
  });

  test('a turn collector returns no text if the log was trimmed in the middle of the turn', async () => {
    const { collector, send, seen } = collecting();
    send(started(1), delta(2, 'lost'), { type: 'reset', offset: 9 }, delta(10, 'rest'), completed(11));
    expect(await collector.result).toMatchObject({ kind: 'completed', text: null });
    expect(seen.resets).toBe(1);
  });

  test('a turn collector stops waiting if the log has no more frames of its turn', async () => {
    const { collector, send } = collecting();
    collector.concludeAt(3, 'duplicate_message');
    send(started(1, 'x', 'other'), delta(2, 'no', 'x'), completed(3, 'x'));
    expect(await collector.result).toEqual({ kind: 'refused', code: 'duplicate_message' });
  });

  test('a turn collector that is about to stop waiting still takes the end of its turn from the log', async () => {
    const { collector, send } = collecting();
    collector.concludeAt(3, 'duplicate_message');
    send(started(1), delta(2, 'yes'), completed(3));
    expect(await collector.result).toMatchObject({ kind: 'completed', text: 'yes' });
  });

  test('a turn collector without a message follows the turn that continues after its offset', async () => {
    const { collector, send, seen } = collecting(null, 5);
    send({ type: 'welcome', offset: 9 });
    expect(seen.taken).toBe(1);
    send(delta(6, 'the rest'), completed(7));
    expect(await collector.result).toMatchObject({ kind: 'completed', text: null });
  });

  test('a turn collector keeps its first result', async () => {
    const { collector, send } = collecting();
    collector.refuse('session_busy', 'another');
    collector.refuse('session_busy', 'm');
    send(started(1), completed(2));
    collector.end('closed');
    expect(await collector.result).toEqual({ kind: 'refused', code: 'session_busy' });
  });
});

describe('a derived id', () => {
  test('a derived id is a UUID, the same for the same texts and different for others', () => {
    const id = derivedUuid('a', 'b');
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(derivedUuid('a', 'b')).toBe(id);
    expect(derivedUuid('ab')).not.toBe(derivedUuid('a', 'b'));
    expect(derivedUuid('a,b')).not.toBe(id);
  });
});
