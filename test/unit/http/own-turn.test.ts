/** The frames of one turn, picked from the frames of its session. */
import { expect, test } from 'vitest';
import { OwnTurn, type TurnFrame } from '../../../src/http/turns/own-turn.ts';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';

const frame = (offset: number, type: string, more: object = {}) =>
  ({ type, offset, epoch: 1, turn_id: 't', message_id: 'm', ...more }) as unknown as ServerFrame;
const queued = (offset: number, message_id = 'm') =>
  ({ type: 'message.queued', offset, epoch: 1, message_id, position: 1 }) as ServerFrame;
const started = (offset: number, more: object = {}) => frame(offset, 'turn.started', more);
const delta = (offset: number, text: string, turn_id = 't') => frame(offset, 'delta', { text, turn_id });
const completed = (offset: number, more: object = {}) => frame(offset, 'turn.completed', more);

const taken = (own: OwnTurn, frames: readonly ServerFrame[]): readonly TurnFrame[] =>
  frames.flatMap((one) => own.take(one) ?? []);
const offsets = (frames: readonly TurnFrame[]) => frames.map(({ offset }) => offset);

test('a reader of one turn gets no frame of the turns around it', () => {
  const own = new OwnTurn('t', 'm');
  const frames = [
    started(1, { turn_id: 'x', message_id: 'n' }),
    queued(2),
    queued(3, 'other'),
    delta(4, 'no', 'x'),
    completed(5, { turn_id: 'x' }),
    started(6),
    delta(7, 'y'),
    frame(8, 'state', { value: 'processing' }),
    delta(9, 'es'),
    completed(10),
  ];
  expect(offsets(taken(own, frames))).toEqual([2, 6, 7, 9, 10]);
  expect(own.text).toBe('yes');
});

test('a reader of one turn gets no frame twice when the log is read again', () => {
  const own = new OwnTurn('t', 'm');
  taken(own, [started(1), delta(2, 'y')]);
  expect(offsets(taken(own, [started(1), delta(2, 'y'), delta(3, 'es'), completed(4)]))).toEqual([3, 4]);
  expect(own.text).toBe('yes');
});

test('a reader that comes in the middle of an answer gets no part of it before its beginning', () => {
  const own = new OwnTurn('t', 'm');
  expect(taken(own, [delta(5, 'es'), completed(6)])).toEqual([]);
  expect(own.text).toBe('');
});

test('a merged message has the turn of the message before it', () => {
  const own = new OwnTurn('t', 'm');
  const frames = [queued(1), started(2, { turn_id: 'u', message_id: 'n', message_ids: ['m', 'n'] })];
  expect(offsets(taken(own, [...frames, delta(3, 'yes', 'u')]))).toEqual([1, 2, 3]);
  expect(own.turnId).toBe('u');
});

test('a reader learns that an answer starts over, even if the log repeats its beginning', () => {
  const own = new OwnTurn('t', null);
  taken(own, [started(5), delta(6, 'lost')]);
  const reset = {
    type: 'reset',
    reason: 'rolled_back',
    offset: 2,
    epoch: 2,
    state: 'processing',
    transcript: [],
  };
  const again = taken(own, [reset as unknown as ServerFrame, started(3), delta(4, 'new')]);
  expect(again).toMatchObject([{ type: 'turn.started', restarts: 1 }, { type: 'delta' }]);
  expect(own.text).toBe('new');
});

test('a message that is cancelled in the queue has an end without a beginning', () => {
  const own = new OwnTurn('t', 'm');
  const frames = taken(own, [queued(1), frame(2, 'turn.cancelled', { reason: 'client' })]);
  expect(frames.flatMap((one) => own.endIn(one) ?? [])).toMatchObject([{ kind: 'cancelled' }]);
});
