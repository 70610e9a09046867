import { describe, expect, test } from 'vitest';
import {
  beginStepped,
  framesOf,
  LIMITS,
  type SteppedSession,
} from '../../support/machine/stepped-session.ts';

/** One way into each stable state of a session. */
const ways: Readonly<Record<string, (session: SteppedSession) => void>> = {
  'connected.fresh': () => {},
  'connected.expiring': (session) => void session.pass(LIMITS.idleMs - 1),
  'processing.generating': (session) => void session.ask(1),
  'processing.recovering': (session) => {
    session.ask(1);
    session.fail();
  },
  'idle.fresh': (session) => void session.receive({ type: 'detach', instance: 'a' }),
  'idle.expiring': (session) => {
    session.receive({ type: 'detach', instance: 'a' });
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

describe('attach and detach', () => {
  test('a new session is connected, and its first frame says so', () => {
    expect(beginStepped().frames).toEqual([{ type: 'state', value: 'connected' }]);
  });

  test('the last instance to detach makes a session idle, the first to attach makes it connected', () => {
    const session = beginStepped();
    session.receive({ type: 'attach', instance: 'b' });
    expect(session.receive({ type: 'detach', instance: 'a' })).toEqual([]);
    expect(framesOf(session.receive({ type: 'detach', instance: 'b' }))).toEqual([
      { type: 'state', value: 'idle' },
    ]);
    expect(framesOf(session.receive({ type: 'attach', instance: 'a' }))).toEqual([
      { type: 'state', value: 'connected' },
    ]);
    expect(session.context.attached).toEqual(['a']);
  });

  test('an instance that attaches twice counts once, and detaches with one event', () => {
    const session = beginStepped();
    session.receive({ type: 'attach', instance: 'a' });
    expect(session.context.attached).toEqual(['a']);
    session.receive({ type: 'detach', instance: 'a' });
    expect(session.value).toEqual({ idle: 'fresh' });
  });

  test('the detach of an instance that never attached has no effect', () => {
    const session = beginStepped();
    session.receive({ type: 'detach', instance: 'z' });
    expect(session.value).toEqual({ connected: 'fresh' });
    expect(session.context.attached).toEqual(['a']);
  });

  test('an attaching client may name its user; what its next hello leaves out stays as it is', () => {
    const session = beginStepped();
    session.receive({ type: 'attach', instance: 'a', userId: 'u1', clientId: 'c1' });
    session.receive({ type: 'attach', instance: 'b', userId: 'u1', diagnosisId: 'd1' });
    expect(session.context).toMatchObject({ userId: 'u1', clientId: 'c1', diagnosisId: 'd1' });
  });

  test('a turn keeps running when every client detaches', () => {
    const session = inState('processing.generating');
    expect(session.receive({ type: 'detach', instance: 'a' })).toEqual([]);
    expect(session.value).toEqual({ processing: 'generating' });
    expect(framesOf(session.complete()).at(-1)).toEqual({ type: 'state', value: 'idle' });
  });

  test('a client that attaches during a turn finds the session connected after it', () => {
    const session = inState('processing.generating');
    session.receive({ type: 'detach', instance: 'a' });
    session.receive({ type: 'attach', instance: 'b' });
    expect(framesOf(session.complete()).at(-1)).toEqual({ type: 'state', value: 'connected' });
  });
});

describe('close', () => {
  test.each(states)('a close in the state %s ends the session with `expired` as its last frame', (name) => {
    const session = inState(name);
    const frames = framesOf(session.receive({ type: 'close', reason: 'closed' }));
    expect(frames.slice(-2)).toEqual([
      { type: 'state', value: 'expired' },
      { type: 'expired', reason: 'closed' },
    ]);
    expect(session.isOver).toBe(true);
    expect(session.state).toMatchObject({ timers: {}, jobs: {} });
  });

  test.each(['processing.generating', 'processing.recovering'])(
    'a close in the state %s cancels the running turn and keeps its text',
    (name) => {
      const effects = inState(name).receive({ type: 'close', reason: 'closed' });
      expect(framesOf(effects)[0]).toEqual({
        type: 'turn.cancelled',
        turn_id: 't1',
        message_id: 'm1',
        reason: 'client',
      });
      expect(effects).toContainEqual(expect.objectContaining({ type: 'answer', turnId: 't1' }));
    },
  );

  test('a close by an operator ends the session with the reason admin', () => {
    const session = beginStepped();
    session.receive({ type: 'close', reason: 'admin' });
    expect(session.frames.at(-1)).toEqual({ type: 'expired', reason: 'admin' });
    expect(session.context.endReason).toBe('admin');
  });
});

describe('ended session', () => {
  test('an ended session starts no turn, ends none, and has no timer and no job', () => {
    const session = inState('processing.generating');
    session.receive({ type: 'close', reason: 'closed' });
    const { state } = session;
    session.ask(2);
    session.complete();
    session.receive({ type: 'attach', instance: 'a' });
    session.pass(LIMITS.absoluteMs * 2);
    expect(session.state).toBe(state);
    expect(session.frames.at(-1)).toEqual({ type: 'expired', reason: 'closed' });
  });
});

describe('every stable state', () => {
  test.each(states)(
    'the state %s has a deadline that ends the session, at least the absolute one',
    (name) => {
      const session = inState(name);
      expect(session.state.timers['xstate.after.absoluteEnd.session']).toBeDefined();
      session.pass(LIMITS.absoluteMs);
      expect(session.isOver).toBe(true);
    },
  );
});
