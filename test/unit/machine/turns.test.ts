import { describe, expect, test } from 'vitest';
import {
  beginStepped,
  framesOf,
  OUTPUT,
  type SteppedSession,
} from '../../support/machine/stepped-session.ts';

function answering(limits = {}): SteppedSession {
  const session = beginStepped(limits);
  session.ask(1);
  return session;
}

describe('completion', () => {
  test('a completed turn reports its usage, keeps the answer, and leaves the session connected', () => {
    const session = answering();
    expect(session.complete({ replica: 'r7' })).toEqual([
      {
        type: 'frame',
        frame: {
          type: 'turn.completed',
          turn_id: 't1',
          message_id: 'm1',
          finish_reason: 'stop',
          usage: OUTPUT.usage,
          metadata: {
            inference_time_ms: OUTPUT.totalMs,
            time_to_first_token_ms: OUTPUT.firstTokenMs,
            model: OUTPUT.model,
            temperature: OUTPUT.temperature,
            max_tokens: OUTPUT.maxTokens,
            conversation_count: 1,
            replica: 'r7',
            resumed: 0,
            simulated: true,
            completed_at: session.now,
          },
        },
      },
      { type: 'answer', turnId: 't1', at: session.now },
      { type: 'frame', frame: { type: 'state', value: 'connected' } },
    ]);
    expect(session.context).toMatchObject({ turn: null, lastReplica: 'r7' });
  });

  test('a completed turn leaves no job behind', () => {
    const session = answering();
    session.complete();
    expect(session.state.jobs).toEqual({});
    expect(session.value).toEqual({ connected: 'fresh' });
  });
});

describe('cancel', () => {
  test.each([
    ['the running turn by its id', { type: 'cancel', turnId: 't1' } as const],
    ['the running turn without an id', { type: 'cancel' } as const],
  ])('a cancel ends %s and keeps its text', (_, cancel) => {
    const session = answering();
    expect(session.receive(cancel)).toEqual([
      {
        type: 'frame',
        frame: { type: 'turn.cancelled', turn_id: 't1', message_id: 'm1', reason: 'client' },
      },
      { type: 'answer', turnId: 't1', at: session.now },
      { type: 'frame', frame: { type: 'state', value: 'connected' } },
    ]);
  });

  test('a cancel of a turn that neither runs nor waits is refused and changes nothing', () => {
    const session = answering();
    session.ask(2);
    const { context } = session;
    for (const turnId of ['t0', 't3', ''])
      expect(session.receive({ type: 'cancel', turnId })).toEqual([
        { type: 'refused', code: 'unknown_turn' },
      ]);
    expect(session.context).toEqual(context);
  });

  test.each(['connected', 'idle'])('a cancel without a turn is refused in the state %s', (state) => {
    const session = beginStepped();
    if (state === 'idle') session.receive({ type: 'detach', instance: 'a' });
    expect(session.receive({ type: 'cancel' })).toEqual([{ type: 'refused', code: 'unknown_turn' }]);
    expect(Object.keys(session.value as object)).toEqual([state]);
  });

  test('after a cancel the next message in the queue starts', () => {
    const session = answering();
    session.ask(2);
    const frames = framesOf(session.receive({ type: 'cancel', turnId: 't1' }));
    expect(frames.map(({ type }) => type)).toEqual(['turn.cancelled', 'turn.started']);
    expect(session.context.turn?.id).toBe('t2');
  });

  test('a cancel ends a turn that waits for its retry, which then never runs', () => {
    const session = answering();
    session.fail();
    session.receive({ type: 'cancel', turnId: 't1' });
    expect(session.value).toEqual({ connected: 'fresh' });
    expect(session.pass(60_000).some(({ type }) => type === 'question')).toBe(false);
    expect(session.state.jobs).toEqual({});
  });
});

describe('failure of the model server', () => {
  test('a failed generation is retried after a while, without a frame, and away from the failed replica', () => {
    const session = answering();
    expect(session.fail({ replica: 'r3' })).toEqual([]);
    expect(session.value).toEqual({ processing: 'recovering' });
    expect(session.state.jobs).toEqual({});
    expect(session.pass(10_000)).toEqual([]);
    expect(session.value).toEqual({ processing: 'generating' });
    expect(session.context.turn).toMatchObject({ id: 't1', attempt: 2, failedReplica: 'r3' });
  });

  test('a retry waits as long as the model server asked, and a cancel ends the wait', () => {
    const session = answering();
    session.fail({ retryAfterMs: 30_000 });
    session.pass(29_999);
    expect(session.value).toEqual({ processing: 'recovering' });
    session.pass(1);
    expect(session.value).toEqual({ processing: 'generating' });
    session.fail({ retryAfterMs: 30_000 });
    session.receive({ type: 'cancel' });
    expect(session.value).toEqual({ connected: 'fresh' });
  });

  test('a retry never waits less than its own backoff, whatever the model server asked', () => {
    const session = answering();
    session.fail({ retryAfterMs: 0 });
    session.pass(50);
    expect(session.value).toEqual({ processing: 'recovering' });
  });

  test('each retry waits longer than the one before', () => {
    const session = answering({ attemptsMax: 4 });
    const waits = [1, 2, 3].map(() => {
      session.fail();
      const { now } = session;
      const [dueAt = 0] = Object.entries(session.state.timers).flatMap(([id, at]) =>
        id.includes('retryDelay') ? at : [],
      );
      session.pass(dueAt - now);
      return dueAt - now;
    });
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(new Set(waits).size).toBe(3);
  });

  test('the last failed attempt ends the turn under the upstream’s code, and the turn keeps its text', () => {
    const session = answering({ attemptsMax: 2 });
    session.fail();
    session.pass(10_000);
    const effects = session.fail({ code: 'inter_token_timeout' });
    expect(effects.slice(0, 2)).toEqual([
      {
        type: 'frame',
        frame: { type: 'turn.failed', turn_id: 't1', message_id: 'm1', code: 'inter_token_timeout' },
      },
      { type: 'answer', turnId: 't1', at: session.now },
    ]);
    expect(session.value).toEqual({ connected: 'fresh' });
  });

  test('a failure that is not retryable ends the turn immediately', () => {
    const session = answering();
    const frames = framesOf(session.fail({ code: 'context_length_exceeded', retryable: false }));
    expect(frames[0]).toMatchObject({ type: 'turn.failed', code: 'context_length_exceeded' });
  });

  test('after a failed turn the next message gets its turn with all attempts', () => {
    const session = answering({ attemptsMax: 1 });
    session.ask(2);
    session.fail();
    expect(session.context.turn).toMatchObject({ id: 't2', attempt: 1, resumed: 0, failedReplica: null });
  });

  test('a retry counts as a resumption, because it continues from a stored prefix', () => {
    const session = answering();
    session.fail();
    session.pass(10_000);
    expect(framesOf(session.complete())[0]).toMatchObject({ metadata: { resumed: 1 } });
  });
});

describe('new owner', () => {
  test('a new owner continues the running turn without a frame', () => {
    const session = answering();
    const { jobs } = session.state;
    expect(session.receive({ type: 'recover' })).toEqual([]);
    expect(session.context.turn).toMatchObject({ id: 't1', attempt: 1, resumed: 1 });
    expect(session.state.jobs).toEqual(jobs);
  });

  test('a new owner gives up a turn that was interrupted too often, and keeps its text', () => {
    const session = answering({ resumesMax: 2 });
    session.receive({ type: 'recover' });
    session.receive({ type: 'recover' });
    expect(session.receive({ type: 'recover' })).toEqual([
      {
        type: 'frame',
        frame: { type: 'turn.failed', turn_id: 't1', message_id: 'm1', code: 'interrupted' },
      },
      { type: 'answer', turnId: 't1', at: session.now },
      { type: 'frame', frame: { type: 'state', value: 'connected' } },
    ]);
  });

  test('a new owner that gives up a turn starts the next one in the queue', () => {
    const session = answering({ resumesMax: 0 });
    session.ask(2);
    session.receive({ type: 'recover' });
    expect(session.context.turn).toMatchObject({ id: 't2', resumed: 0 });
  });

  test('a new owner changes nothing where no turn runs', () => {
    const session = beginStepped();
    const { state } = session;
    expect(session.receive({ type: 'recover' })).toEqual([]);
    expect(session.state).toBe(state);
  });
});

describe('answer that starts over', () => {
  const startOver = { content: 'question 1', author: 'u1' };

  test('an answer that starts over sends turn.started again with a count, and asks for another generation', () => {
    const session = answering();
    session.ask(2);
    const before = session.state.jobs.generation?.key;
    expect(session.fail({ startOver })).toEqual([
      {
        type: 'frame',
        frame: {
          type: 'turn.started',
          turn_id: 't1',
          message_id: 'm1',
          queued: 1,
          content: 'question 1',
          author: 'u1',
          restarts: 1,
        },
      },
    ]);
    expect(session.value).toEqual({ processing: 'generating' });
    expect(session.state.jobs.generation?.key).not.toBe(before);
    expect(session.context.turn).toMatchObject({ id: 't1', attempt: 1, resumed: 0, restarts: 1 });
    expect(framesOf(session.fail({ startOver }))).toMatchObject([{ type: 'turn.started', restarts: 2 }]);
  });

  test('the second turn.started of an answer that starts over names every message of its turn', () => {
    const session = answering();
    session.ask(2, { policy: 'merge' });
    session.ask(3, { policy: 'merge' });
    session.complete();
    const frames = framesOf(session.fail({ startOver: { content: 'both', author: null } }));
    expect(frames).toMatchObject([{ message_id: 'm3', message_ids: ['m2', 'm3'], content: 'both' }]);
    expect(frames[0]).not.toHaveProperty('author');
  });

  test('an answer that starts over uses up no retry', () => {
    const session = answering({ attemptsMax: 2 });
    session.fail({ startOver });
    session.fail();
    expect(session.value).toEqual({ processing: 'recovering' });
    session.pass(10_000);
    session.fail({ startOver });
    expect(framesOf(session.fail()).map(({ type }) => type)).toEqual(['turn.failed', 'state']);
  });
});
