import { describe, expect, test } from 'vitest';
import { OUTPUT } from '../../support/session-paths.ts';
import { beginStepped, framesOf, type SteppedSession } from '../../support/stepped-session.ts';

function answering(limits = {}): SteppedSession {
  const session = beginStepped(limits);
  session.ask(1);
  return session;
}

describe('completion', () => {
  test('says what it took, keeps the answer, and the session is connected again', () => {
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

  test('nothing of a turn is left running', () => {
    const session = answering();
    session.complete();
    expect(session.resting.jobs).toEqual({});
    expect(session.value).toEqual({ connected: 'fresh' });
  });
});

describe('cancel', () => {
  test.each([
    ['the running turn by its id', { type: 'cancel', turnId: 't1' } as const],
    ['whatever runs', { type: 'cancel' } as const],
  ])('ends %s and keeps its text', (_, cancel) => {
    const session = answering();
    expect(session.hear(cancel)).toEqual([
      {
        type: 'frame',
        frame: { type: 'turn.cancelled', turn_id: 't1', message_id: 'm1', reason: 'client' },
      },
      { type: 'answer', turnId: 't1', at: session.now },
      { type: 'frame', frame: { type: 'state', value: 'connected' } },
    ]);
  });

  test('another id than the running turn’s is refused and nothing changes', () => {
    const session = answering();
    session.ask(2);
    const { context } = session;
    for (const turnId of ['t0', 't2', ''])
      expect(session.hear({ type: 'cancel', turnId })).toEqual([{ type: 'refused', code: 'unknown_turn' }]);
    expect(session.context).toEqual(context);
  });

  test.each(['connected', 'idle'])('without a turn it is refused: %s', (state) => {
    const session = beginStepped();
    if (state === 'idle') session.hear({ type: 'detach', instance: 'a' });
    expect(session.hear({ type: 'cancel' })).toEqual([{ type: 'refused', code: 'unknown_turn' }]);
    expect(Object.keys(session.value as object)).toEqual([state]);
  });

  test('lets the next message in the queue start', () => {
    const session = answering();
    session.ask(2);
    const frames = framesOf(session.hear({ type: 'cancel', turnId: 't1' }));
    expect(frames.map(({ type }) => type)).toEqual(['turn.cancelled', 'turn.started']);
    expect(session.context.turn?.id).toBe('t2');
  });

  test('reaches a turn that waits for its retry, which then never comes', () => {
    const session = answering();
    session.fail();
    session.hear({ type: 'cancel', turnId: 't1' });
    expect(session.value).toEqual({ connected: 'fresh' });
    expect(session.pass(60_000).some(({ type }) => type === 'question')).toBe(false);
    expect(session.resting.jobs).toEqual({});
  });
});

describe('a failure of the upstream', () => {
  test('is tried again after a while, silently, and away from the replica that failed', () => {
    const session = answering();
    expect(session.fail({ replica: 'r3' })).toEqual([]);
    expect(session.value).toEqual({ processing: 'recovering' });
    expect(session.resting.jobs).toEqual({});
    expect(session.pass(10_000)).toEqual([]);
    expect(session.value).toEqual({ processing: 'generating' });
    expect(session.context.turn).toMatchObject({ id: 't1', attempt: 2, failedReplica: 'r3' });
  });

  test('waits as long as the model server asked, and a cancel does not wait', () => {
    const session = answering();
    session.fail({ retryAfterMs: 30_000 });
    session.pass(29_999);
    expect(session.value).toEqual({ processing: 'recovering' });
    session.pass(1);
    expect(session.value).toEqual({ processing: 'generating' });
    session.fail({ retryAfterMs: 30_000 });
    session.hear({ type: 'cancel' });
    expect(session.value).toEqual({ connected: 'fresh' });
  });

  test('never waits shorter than it would without being asked', () => {
    const session = answering();
    session.fail({ retryAfterMs: 0 });
    session.pass(50);
    expect(session.value).toEqual({ processing: 'recovering' });
  });

  test('waits longer each time', () => {
    const session = answering({ attemptsMax: 4 });
    const waits = [1, 2, 3].map(() => {
      session.fail();
      const { now } = session;
      const [dueAt = 0] = Object.entries(session.resting.timers).flatMap(([id, at]) =>
        id.includes('retryDelay') ? at : [],
      );
      session.pass(dueAt - now);
      return dueAt - now;
    });
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(new Set(waits).size).toBe(3);
  });

  test('ends the turn after its last attempt, under the upstream’s code, and keeps the text', () => {
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

  test('that cannot get better ends the turn at once', () => {
    const session = answering();
    const frames = framesOf(session.fail({ code: 'context_length_exceeded', retryable: false }));
    expect(frames[0]).toMatchObject({ type: 'turn.failed', code: 'context_length_exceeded' });
  });

  test('does not keep the next message from its turn, which has all its attempts', () => {
    const session = answering({ attemptsMax: 1 });
    session.ask(2);
    session.fail();
    expect(session.context.turn).toMatchObject({ id: 't2', attempt: 1, resumed: 0, failedReplica: null });
  });

  test('a retry counts as a resumption: it went on from a stored prefix', () => {
    const session = answering();
    session.fail();
    session.pass(10_000);
    expect(framesOf(session.complete())[0]).toMatchObject({ metadata: { resumed: 1 } });
  });
});

describe('a new owner', () => {
  test('goes on with the turn that it finds, and says nothing about it', () => {
    const session = answering();
    const { jobs } = session.resting;
    expect(session.hear({ type: 'recover' })).toEqual([]);
    expect(session.context.turn).toMatchObject({ id: 't1', attempt: 1, resumed: 1 });
    expect(session.resting.jobs).toEqual(jobs);
  });

  test('gives a turn up that was interrupted too often, and keeps its text', () => {
    const session = answering({ resumesMax: 2 });
    session.hear({ type: 'recover' });
    session.hear({ type: 'recover' });
    expect(session.hear({ type: 'recover' })).toEqual([
      {
        type: 'frame',
        frame: { type: 'turn.failed', turn_id: 't1', message_id: 'm1', code: 'interrupted' },
      },
      { type: 'answer', turnId: 't1', at: session.now },
      { type: 'frame', frame: { type: 'state', value: 'connected' } },
    ]);
  });

  test('gives up one turn, not the queue behind it', () => {
    const session = answering({ resumesMax: 0 });
    session.ask(2);
    session.hear({ type: 'recover' });
    expect(session.context.turn).toMatchObject({ id: 't2', resumed: 0 });
  });

  test('changes nothing where no turn runs', () => {
    const session = beginStepped();
    const { resting } = session;
    expect(session.hear({ type: 'recover' })).toEqual([]);
    expect(session.resting).toBe(resting);
  });
});

describe('an answer that starts over', () => {
  const startOver = { content: 'question 1', author: 'u1' };

  test('says the start of its turn once more, counted, and asks for another generation', () => {
    const session = answering();
    session.ask(2);
    const before = session.resting.jobs.generation?.key;
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
    expect(session.resting.jobs.generation?.key).not.toBe(before);
    expect(session.context.turn).toMatchObject({ id: 't1', attempt: 1, resumed: 0, restarts: 1 });
    expect(framesOf(session.fail({ startOver }))).toMatchObject([{ type: 'turn.started', restarts: 2 }]);
  });

  test('names every message of a turn of several', () => {
    const session = answering();
    session.ask(2, { policy: 'merge' });
    session.ask(3, { policy: 'merge' });
    session.complete();
    const frames = framesOf(session.fail({ startOver: { content: 'both', author: null } }));
    expect(frames).toMatchObject([{ message_id: 'm3', message_ids: ['m2', 'm3'], content: 'both' }]);
    expect(frames[0]).not.toHaveProperty('author');
  });

  test('is no failed attempt: a failure after it has as many tries left as before', () => {
    const session = answering({ attemptsMax: 2 });
    session.fail({ startOver });
    session.fail();
    expect(session.value).toEqual({ processing: 'recovering' });
    session.pass(10_000);
    session.fail({ startOver });
    expect(framesOf(session.fail()).map(({ type }) => type)).toEqual(['turn.failed', 'state']);
  });
});
