import { describe, expect, test } from 'vitest';
import {
  beginStepped,
  framesOf,
  LIMITS,
  STARTS_AT,
  type SteppedSession,
} from '../../support/machine/stepped-session.ts';

const { idleMs, absoluteMs, warnMs } = LIMITS;
const warnings = (session: SteppedSession) =>
  session.frames.filter((frame) => frame.type === 'expiring').map(({ type: _, ...frame }) => frame);
const ends = (session: SteppedSession) => session.frames.filter(({ type }) => type === 'expired');

describe('idle deadline', () => {
  test('the idle deadline is announced once, then ends the session', () => {
    const session = beginStepped();
    session.pass(idleMs - warnMs - 1);
    expect(warnings(session)).toEqual([]);
    session.pass(1);
    expect(warnings(session)).toEqual([{ expires_at: STARTS_AT + idleMs, reason: 'idle' }]);
    session.pass(warnMs - 1);
    expect(session.isOver).toBe(false);
    session.pass(1);
    expect(warnings(session)).toHaveLength(1);
    expect(ends(session)).toEqual([{ type: 'expired', reason: 'idle' }]);
  });

  test('the idle deadline ends a session without a client', () => {
    const session = beginStepped();
    session.receive({ type: 'detach', instance: 'a' });
    session.pass(idleMs);
    expect(warnings(session)).toHaveLength(1);
    expect(ends(session)).toEqual([{ type: 'expired', reason: 'idle' }]);
  });

  test('the idle deadline does not move when a client detaches', () => {
    const session = beginStepped();
    session.pass(40_000);
    session.receive({ type: 'detach', instance: 'a' });
    session.pass(idleMs - 40_000 - 1);
    expect(session.isOver).toBe(false);
    session.pass(1);
    expect(session.isOver).toBe(true);
  });

  test('the idle deadline is announced once, even if the client detaches after the warning', () => {
    const session = beginStepped();
    session.pass(idleMs - warnMs);
    session.receive({ type: 'detach', instance: 'a' });
    session.pass(warnMs - 1);
    expect(session.value).toEqual({ idle: 'expiring' });
    expect(warnings(session)).toHaveLength(1);
    session.pass(1);
    expect(session.isOver).toBe(true);
  });

  test.each([
    ['extend', (session: SteppedSession) => session.receive({ type: 'extend' })],
    ['an attaching client', (session: SteppedSession) => session.receive({ type: 'attach', instance: 'b' })],
    [
      'a turn that ends',
      (session: SteppedSession) => {
        session.ask(1);
        session.complete();
      },
    ],
  ])('the idle deadline moves with %s, and is announced again', (_, act) => {
    const session = beginStepped();
    session.pass(idleMs - 1);
    act(session);
    session.pass(idleMs - 1);
    expect(session.isOver).toBe(false);
    expect(warnings(session).map(({ expires_at }) => expires_at)).toEqual([
      STARTS_AT + idleMs,
      STARTS_AT + 2 * idleMs - 1,
    ]);
    session.pass(1);
    expect(session.isOver).toBe(true);
  });

  test.each([
    ['connected', () => {}],
    ['processing', (session: SteppedSession) => void session.ask(1)],
    ['idle', (session: SteppedSession) => void session.receive({ type: 'detach', instance: 'a' })],
  ])('extend answers with both deadlines in the state %s', (_, reach) => {
    const session = beginStepped();
    reach(session);
    session.pass(1_000);
    expect(session.receive({ type: 'extend' })).toEqual([
      { type: 'extended', expiresAt: STARTS_AT + 1_000 + idleMs, absoluteExpiresAt: STARTS_AT + absoluteMs },
    ]);
  });

  test('the idle deadline moves with extend in a session without clients too', () => {
    const session = beginStepped();
    session.receive({ type: 'detach', instance: 'a' });
    session.pass(idleMs - 1);
    session.receive({ type: 'extend' });
    expect(session.value).toEqual({ idle: 'fresh' });
    session.pass(idleMs - 1);
    expect(session.isOver).toBe(false);
  });

  test('the idle deadline does not pass while a turn runs, however long it takes', () => {
    const session = beginStepped();
    session.ask(1);
    session.pass(3 * idleMs);
    expect(session.value).toEqual({ processing: 'generating' });
    expect(warnings(session)).toEqual([]);
    session.complete();
    session.pass(idleMs - 1);
    expect(session.isOver).toBe(false);
  });

  test('a refused event does not move the idle deadline', () => {
    const session = beginStepped();
    session.pass(50_000);
    session.receive({ type: 'cancel' });
    session.pass(50_000);
    expect(session.isOver).toBe(true);
  });

  test('the idle deadline is announced no earlier than half the idle time, however early the configured warning', () => {
    const session = beginStepped({ warnMs: 10 * idleMs });
    session.pass(idleMs / 2 - 1);
    expect(warnings(session).filter(({ reason }) => reason === 'idle')).toEqual([]);
    session.pass(1);
    expect(warnings(session).filter(({ reason }) => reason === 'idle')).toHaveLength(1);
  });
});

describe('absolute deadline', () => {
  /** Keeps the session from going idle. */
  function extendUntil(session: SteppedSession, at: number): void {
    while (session.now < at) {
      session.receive({ type: 'extend' });
      session.pass(Math.min(idleMs / 4, at - session.now));
    }
  }

  test('the answer to extend never names a later end than the absolute deadline', () => {
    const session = beginStepped();
    extendUntil(session, STARTS_AT + absoluteMs - 1);
    expect(session.receive({ type: 'extend' })).toContainEqual({
      type: 'extended',
      expiresAt: STARTS_AT + absoluteMs,
      absoluteExpiresAt: STARTS_AT + absoluteMs,
    });
  });

  test('the absolute deadline is announced once and ends the session, however often a client extends it', () => {
    const session = beginStepped();
    extendUntil(session, STARTS_AT + absoluteMs - 1);
    expect(warnings(session)).toEqual([{ expires_at: STARTS_AT + absoluteMs, reason: 'absolute' }]);
    expect(session.isOver).toBe(false);
    session.pass(1);
    expect(ends(session)).toEqual([{ type: 'expired', reason: 'absolute' }]);
  });

  test('the absolute deadline is announced on time', () => {
    const session = beginStepped();
    extendUntil(session, STARTS_AT + absoluteMs - warnMs - 1);
    expect(warnings(session)).toEqual([]);
    session.pass(1);
    expect(warnings(session)).toHaveLength(1);
  });

  test('the absolute deadline ends a running turn, which fails and keeps its text', () => {
    const session = beginStepped();
    session.ask(1);
    session.pass(absoluteMs - 1);
    expect(warnings(session)).toEqual([{ expires_at: STARTS_AT + absoluteMs, reason: 'absolute' }]);
    expect(session.pass(1)).toEqual([
      {
        type: 'frame',
        frame: { type: 'turn.failed', turn_id: 't1', message_id: 'm1', code: 'session_expired' },
      },
      { type: 'answer', turnId: 't1', at: STARTS_AT + absoluteMs },
      { type: 'frame', frame: { type: 'state', value: 'expired' } },
      { type: 'frame', frame: { type: 'expired', reason: 'absolute' } },
    ]);
  });

  test('the absolute deadline ends a turn that waits for its retry', () => {
    const session = beginStepped();
    session.ask(1);
    session.pass(absoluteMs - 1);
    session.fail();
    const frames = framesOf(session.pass(1));
    expect(frames[0]).toMatchObject({ type: 'turn.failed', code: 'session_expired' });
    expect(frames.at(-1)).toEqual({ type: 'expired', reason: 'absolute' });
  });

  test('the absolute deadline is announced once, whatever was announced of the idle deadline', () => {
    const session = beginStepped({ absoluteMs: idleMs });
    session.pass(idleMs - 1);
    expect(warnings(session).map(({ reason }) => reason)).toEqual(['absolute', 'idle']);
    session.pass(1);
    expect(ends(session)).toHaveLength(1);
  });

  test('the absolute deadline does not move with turns, attaching and detaching clients', () => {
    const session = beginStepped();
    const deadline = () => session.state.timers['xstate.after.absoluteEnd.session'];
    const before = deadline();
    session.ask(1);
    session.fail();
    session.pass(10_000);
    session.complete();
    session.receive({ type: 'detach', instance: 'a' });
    session.receive({ type: 'attach', instance: 'b' });
    expect(deadline()).toBe(before);
    expect(before).toBe(STARTS_AT + absoluteMs);
  });
});
