import { describe, expect, test } from 'vitest';
import { beginStepped, framesOf, LIMITS, type SteppedSession } from '../../support/stepped-session.ts';

/** One way into each state that a session can rest in. */
const ways: Readonly<Record<string, (session: SteppedSession) => void>> = {
  'connected.fresh': () => {},
  'connected.expiring': (session) => void session.pass(LIMITS.idleMs - 1),
  'processing.generating': (session) => void session.ask(1),
  'processing.recovering': (session) => {
    session.ask(1);
    session.fail();
  },
  'idle.fresh': (session) => void session.hear({ type: 'detach', instance: 'a' }),
  'idle.expiring': (session) => {
    session.hear({ type: 'detach', instance: 'a' });
    session.pass(LIMITS.idleMs - 1);
  },
};
const states = Object.keys(ways);

function inState(name: string): SteppedSession {
  const session = beginStepped();
  ways[name]?.(session);
  const [top = '', inner = ''] = name.split('.');
  expect(session.value).toEqual({ [top]: inner });
  return session;
}

describe('coming and going', () => {
  test('a new session is connected and says so first', () => {
    expect(beginStepped().frames).toEqual([{ type: 'state', value: 'connected' }]);
  });

  test('the last instance to leave makes it idle, the first to come back connected', () => {
    const session = beginStepped();
    session.hear({ type: 'attach', instance: 'b' });
    expect(session.hear({ type: 'detach', instance: 'a' })).toEqual([]);
    expect(framesOf(session.hear({ type: 'detach', instance: 'b' }))).toEqual([
      { type: 'state', value: 'idle' },
    ]);
    expect(framesOf(session.hear({ type: 'attach', instance: 'a' }))).toEqual([
      { type: 'state', value: 'connected' },
    ]);
    expect(session.context.attached).toEqual(['a']);
  });

  test('an instance that attaches twice is there once, and leaves with one word', () => {
    const session = beginStepped();
    session.hear({ type: 'attach', instance: 'a' });
    expect(session.context.attached).toEqual(['a']);
    session.hear({ type: 'detach', instance: 'a' });
    expect(session.value).toEqual({ idle: 'fresh' });
  });

  test('an instance that never came can leave without effect', () => {
    const session = beginStepped();
    session.hear({ type: 'detach', instance: 'z' });
    expect(session.value).toEqual({ connected: 'fresh' });
    expect(session.context.attached).toEqual(['a']);
  });

  test('who comes may say who it is; who says nothing takes nothing away', () => {
    const session = beginStepped();
    session.hear({ type: 'attach', instance: 'a', userId: 'u1', clientId: 'c1' });
    session.hear({ type: 'attach', instance: 'b', diagnosisId: 'd1' });
    expect(session.context).toMatchObject({ userId: 'u1', clientId: 'c1', diagnosisId: 'd1' });
  });

  test('a turn goes on when everybody leaves', () => {
    const session = inState('processing.generating');
    expect(session.hear({ type: 'detach', instance: 'a' })).toEqual([]);
    expect(session.value).toEqual({ processing: 'generating' });
    expect(framesOf(session.complete()).at(-1)).toEqual({ type: 'state', value: 'idle' });
  });

  test('who comes during a turn finds the session connected after it', () => {
    const session = inState('processing.generating');
    session.hear({ type: 'detach', instance: 'a' });
    session.hear({ type: 'attach', instance: 'b' });
    expect(framesOf(session.complete()).at(-1)).toEqual({ type: 'state', value: 'connected' });
  });
});

describe('close', () => {
  test.each(states)('ends the session in %s; `expired` is its last frame', (name) => {
    const session = inState(name);
    const frames = framesOf(session.hear({ type: 'close', reason: 'closed' }));
    expect(frames.slice(-2)).toEqual([
      { type: 'state', value: 'expired' },
      { type: 'expired', reason: 'closed' },
    ]);
    expect(session.isOver).toBe(true);
    expect(session.resting).toMatchObject({ timers: {}, jobs: {} });
  });

  test.each(['processing.generating', 'processing.recovering'])(
    'cancels the turn that runs in %s and keeps its text',
    (name) => {
      const effects = inState(name).hear({ type: 'close', reason: 'closed' });
      expect(framesOf(effects)[0]).toEqual({
        type: 'turn.cancelled',
        turn_id: 't1',
        message_id: 'm1',
        reason: 'client',
      });
      expect(effects).toContainEqual(expect.objectContaining({ type: 'answer', turnId: 't1' }));
    },
  );

  test('says so where it was an operator who closed', () => {
    const session = beginStepped();
    session.hear({ type: 'close', reason: 'admin' });
    expect(session.frames.at(-1)).toEqual({ type: 'expired', reason: 'admin' });
    expect(session.context.endReason).toBe('admin');
  });
});

describe('a session that is over', () => {
  test('starts no turn, ends none, and has nothing to wait for', () => {
    const session = inState('processing.generating');
    session.hear({ type: 'close', reason: 'closed' });
    const { resting } = session;
    session.ask(2);
    session.complete();
    session.hear({ type: 'attach', instance: 'a' });
    session.pass(LIMITS.absoluteMs * 2);
    expect(session.resting).toBe(resting);
    expect(session.frames.at(-1)).toEqual({ type: 'expired', reason: 'closed' });
  });
});

describe('every resting state', () => {
  test.each(states)('%s has a deadline that ends it, if only the absolute one', (name) => {
    const session = inState(name);
    expect(session.resting.timers['xstate.after.absoluteEnd.session']).toBeDefined();
    session.pass(LIMITS.absoluteMs);
    expect(session.isOver).toBe(true);
  });
});
