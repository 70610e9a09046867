import { describe, expect, test } from 'vitest';
import { overlapPolicySchema } from '../../../machines/vocabulary.ts';
import { beginStepped, framesOf, type SteppedSession } from '../../support/machine/stepped-session.ts';

/** Begins a session whose first turn runs. */
function answering(limits = {}): SteppedSession {
  const session = beginStepped(limits);
  session.ask(1);
  return session;
}

const queued = (session: SteppedSession) => session.context.queue.map(({ turnId }) => turnId);

describe('message without a running turn', () => {
  test.each(overlapPolicySchema.options)(
    'a message without a running turn starts one under the policy %s',
    (policy) => {
      const session = beginStepped();
      const effects = session.ask(1, { policy, content: 'it hurts' });
      expect(session.value).toEqual({ processing: 'generating' });
      expect(effects).toEqual([
        { type: 'taken', messageId: 'm1' },
        { type: 'frame', frame: { type: 'state', value: 'processing' } },
        { type: 'question', turnId: 't1', content: 'it hurts', author: null, at: session.now },
        {
          type: 'frame',
          frame: { type: 'turn.started', turn_id: 't1', message_id: 'm1', queued: 0, content: 'it hurts' },
        },
      ]);
    },
  );

  test('a message starts a turn without an attached client too, and the session is idle again after it', () => {
    const session = beginStepped();
    session.receive({ type: 'detach', instance: 'a' });
    session.ask(1);
    expect(session.value).toEqual({ processing: 'generating' });
    session.complete();
    expect(session.value).toEqual({ idle: 'fresh' });
  });
});

describe('queue', () => {
  test('under the policy queue messages wait and start in their order', () => {
    const session = answering();
    expect(framesOf(session.ask(2))).toEqual([{ type: 'message.queued', message_id: 'm2', position: 1 }]);
    expect(framesOf(session.ask(3))).toEqual([{ type: 'message.queued', message_id: 'm3', position: 2 }]);
    expect(framesOf(session.complete()).slice(1)).toEqual([
      { type: 'turn.started', turn_id: 't2', message_id: 'm2', queued: 1, content: 'question 2' },
    ]);
    expect(framesOf(session.complete()).slice(1)).toEqual([
      { type: 'turn.started', turn_id: 't3', message_id: 'm3', queued: 0, content: 'question 3' },
    ]);
  });

  test('a queued question is recorded when its turn starts, so that the transcript reads in order', () => {
    const session = answering();
    const onArrival = session.ask(2);
    expect(onArrival.some(({ type }) => type === 'question')).toBe(false);
    const recorded = session.complete().filter(({ type }) => type === 'answer' || type === 'question');
    expect(recorded).toMatchObject([
      { type: 'answer', turnId: 't1' },
      { type: 'question', turnId: 't2', content: 'question 2' },
    ]);
  });

  test('a full queue refuses the next message and nothing changes', () => {
    const session = answering({ queueMax: 2 });
    session.ask(2);
    session.ask(3);
    const { context } = session;
    expect(session.ask(4)).toEqual([{ type: 'refused', code: 'queue_full', messageId: 'm4' }]);
    expect(session.context).toEqual(context);
  });

  test('merged messages count towards the queue limit like others', () => {
    const session = answering({ queueMax: 2 });
    session.ask(2, { policy: 'merge' });
    session.ask(3, { policy: 'merge' });
    expect(session.ask(4, { policy: 'merge' })).toEqual([
      { type: 'refused', code: 'queue_full', messageId: 'm4' },
    ]);
  });

  test('a queued message keeps its own options', () => {
    const session = answering();
    session.ask(2, { options: { maxTokens: 5 } });
    session.complete();
    expect(session.context.turn).toMatchObject({ id: 't2', options: { maxTokens: 5 } });
  });
});

describe('reject', () => {
  test('under the policy reject a message during a turn is refused, and may be sent again under its id', () => {
    const session = answering();
    const { context } = session;
    expect(session.ask(2, { policy: 'reject' })).toEqual([
      { type: 'refused', code: 'session_busy', messageId: 'm2' },
    ]);
    expect(session.context).toEqual(context);
  });
});

describe('interrupt', () => {
  test('an interrupting message ends the running turn, keeps its text, and starts immediately', () => {
    const session = answering();
    const effects = session.ask(2, { policy: 'interrupt' });
    expect(effects).toEqual([
      {
        type: 'frame',
        frame: { type: 'turn.cancelled', turn_id: 't1', message_id: 'm1', reason: 'interrupt' },
      },
      { type: 'answer', turnId: 't1', at: session.now },
      { type: 'taken', messageId: 'm2' },
      { type: 'question', turnId: 't2', content: 'question 2', author: null, at: session.now },
      {
        type: 'frame',
        frame: { type: 'turn.started', turn_id: 't2', message_id: 'm2', queued: 0, content: 'question 2' },
      },
    ]);
    expect(session.context.turnCount).toBe(2);
  });

  test('an interrupting message goes before waiting ones, even when the queue is full', () => {
    const session = answering({ queueMax: 2 });
    session.ask(2);
    session.ask(3);
    session.ask(4, { policy: 'interrupt' });
    expect(session.context.turn?.id).toBe('t4');
    expect(queued(session)).toEqual(['t2', 't3']);
  });

  test('an interrupting message replaces the stopped generation with another', () => {
    const session = answering();
    const before = session.state.jobs.generation;
    session.ask(2, { policy: 'interrupt' });
    expect(session.state.jobs.generation).toBeDefined();
    expect(session.state.jobs.generation?.key).not.toBe(before?.key);
  });

  test('an interrupting message ends a turn that waits for its retry', () => {
    const session = answering();
    session.fail();
    session.ask(2, { policy: 'interrupt' });
    expect(session.value).toEqual({ processing: 'generating' });
    expect(session.context.turn).toMatchObject({ id: 't2', attempt: 1 });
    session.pass(60_000);
    expect(session.context.turn).toMatchObject({ id: 't2', attempt: 1 });
  });
});

describe('rollback', () => {
  test('under the policy rollback the running turn is removed with its question, and does not count', () => {
    const session = answering();
    const effects = session.ask(2, { policy: 'rollback' });
    expect(effects).toContainEqual({ type: 'forget', turnId: 't1' });
    expect(effects.some(({ type }) => type === 'answer')).toBe(false);
    expect(framesOf(effects)[0]).toEqual({
      type: 'turn.cancelled',
      turn_id: 't1',
      message_id: 'm1',
      reason: 'rollback',
    });
    expect(session.context).toMatchObject({ turnCount: 1, turn: { id: 't2' } });
  });

  test('a message with the policy rollback goes before waiting ones', () => {
    const session = answering();
    session.ask(2);
    session.ask(3, { policy: 'rollback' });
    expect(session.context.turn?.id).toBe('t3');
    expect(queued(session)).toEqual(['t2']);
  });
});

describe('merge', () => {
  test('under the policy merge waiting messages become one turn, named after the last of them', () => {
    const session = answering();
    session.ask(2, { policy: 'merge', content: 'and it burns', options: { maxTokens: 5, temperature: 1 } });
    session.ask(3, { policy: 'merge', content: 'at night', options: { maxTokens: 9 } });
    const effects = session.complete();
    expect(framesOf(effects).at(-1)).toEqual({
      type: 'turn.started',
      turn_id: 't2',
      message_id: 'm3',
      message_ids: ['m2', 'm3'],
      queued: 0,
      content: 'and it burns\n\nat night',
    });
    expect(effects).toContainEqual({
      type: 'question',
      turnId: 't2',
      content: 'and it burns\n\nat night',
      author: null,
      at: session.now,
    });
    expect(session.context.turn?.options).toEqual({ maxTokens: 9, temperature: 1 });
  });

  test('the id of each merged message is taken', () => {
    const session = answering();
    session.ask(2, { policy: 'merge' });
    expect(session.ask(3, { policy: 'merge' })).toContainEqual({ type: 'taken', messageId: 'm3' });
  });

  test('a merging message does not join a waiting message of another policy', () => {
    const session = answering();
    session.ask(2, { policy: 'queue' });
    session.ask(3, { policy: 'merge' });
    expect(queued(session)).toEqual(['t2', 't3']);
  });

  test('a merging message does not join the running turn', () => {
    const session = beginStepped();
    session.ask(1, { policy: 'merge' });
    session.ask(2, { policy: 'merge' });
    expect(session.context.turn?.messageIds).toEqual(['m1']);
    expect(queued(session)).toEqual(['t2']);
  });
});
