import { describe, expect, test } from 'vitest';
import type { Share } from '../../../machines/vocabulary.ts';
import { beginStepped, framesOf, type SteppedSession } from '../../support/machine/stepped-session.ts';

const HOUR_MS = 3_600_000;

/** Begins a session that u1 owns and is attached to. */
function owned(): SteppedSession {
  const session = beginStepped({ idleMs: 10 * HOUR_MS, absoluteMs: 20 * HOUR_MS });
  session.receive({ type: 'attach', instance: 'a', userId: 'u1' });
  return session;
}

function shared(userId: string, access: Share['access'], forMs = HOUR_MS): SteppedSession {
  const session = owned();
  session.receive({ type: 'share', share: { id: 's1', userId, access, expiresAt: session.now + forMs } });
  return session;
}

const enters = (session: SteppedSession, userId: string, instance = 'b') =>
  session.receive({ type: 'attach', instance, userId });
const forbidden = (effects: readonly object[]): boolean =>
  effects.some((effect) => 'code' in effect && effect.code === 'forbidden');
const presence = (effects: ReturnType<SteppedSession['receive']>) =>
  framesOf(effects).flatMap((frame) => (frame.type === 'presence' ? `${frame.user_id} ${frame.event}` : []));

describe('owned session', () => {
  test('a session belongs to the first user that a client names', () => {
    const session = owned();
    expect(session.context.userId).toBe('u1');
  });

  test('an owned session refuses a stranger, who does not keep it alive', () => {
    const session = owned();
    const { context } = session;
    session.pass(1_000);
    expect(forbidden(enters(session, 'u2'))).toBe(true);
    expect(session.context).toEqual(context);
  });

  test('an owned session refuses messages of a stranger, with or without a running turn', () => {
    const session = owned();
    expect(session.ask(1, { author: 'u2' })).toEqual([
      { type: 'refused', code: 'forbidden', messageId: 'm1' },
    ]);
    session.ask(2, { author: 'u1' });
    expect(forbidden(session.ask(3, { author: 'u2', policy: 'interrupt' }))).toBe(true);
    expect(session.context.turn?.id).toBe('t2');
  });

  test('an owned session lets its owner attach from any instance', () => {
    const session = owned();
    expect(forbidden(enters(session, 'u1'))).toBe(false);
    expect(session.context.attached).toEqual(['a', 'b']);
  });
});

describe('share', () => {
  test('a share is announced with its access and its end', () => {
    const session = owned();
    const share = { id: 's1', userId: 'u2', access: 'write', expiresAt: session.now + 5 } as const;
    expect(framesOf(session.receive({ type: 'share', share }))).toEqual([
      { type: 'shared', share_id: 's1', user_id: 'u2', access: 'write', expires_at: session.now + 5 },
    ]);
  });

  test('a share to read lets its guest enter but not write', () => {
    const session = shared('u2', 'read');
    expect(forbidden(enters(session, 'u2'))).toBe(false);
    expect(forbidden(session.ask(1, { author: 'u2' }))).toBe(true);
  });

  test('a share to write lets its guest write under their own name', () => {
    const session = shared('u2', 'write');
    enters(session, 'u2');
    const effects = session.ask(1, { author: 'u2' });
    expect(effects).toContainEqual(expect.objectContaining({ type: 'question', author: 'u2' }));
    expect(framesOf(effects).at(-1)).toMatchObject({ type: 'turn.started', author: 'u2' });
  });

  test('a share ends on time', () => {
    const session = shared('u2', 'write', 1_000);
    session.pass(1_000);
    expect(forbidden(enters(session, 'u2'))).toBe(true);
  });

  test('a second share of a user replaces the first', () => {
    const session = shared('u2', 'read');
    const share = { id: 's2', userId: 'u2', access: 'write', expiresAt: session.now + HOUR_MS } as const;
    session.receive({ type: 'share', share });
    expect(session.context.shares.map(({ id }) => id)).toEqual(['s2']);
  });

  test('a revoked share is announced', () => {
    const session = shared('u2', 'write');
    expect(framesOf(session.receive({ type: 'unshare', shareId: 's1' }))).toEqual([
      { type: 'unshared', share_id: 's1', user_id: 'u2' },
    ]);
    expect(forbidden(enters(session, 'u2'))).toBe(true);
  });

  test('revoking an unknown share sends no frame', () => {
    expect(shared('u2', 'write').receive({ type: 'unshare', shareId: 's9' })).toEqual([]);
  });

  test('a share beyond the limit is refused; ended shares do not count', () => {
    const session = owned();
    const give = (number: number) =>
      session.receive({
        type: 'share',
        share: { id: `s${number}`, userId: `v${number}`, access: 'read', expiresAt: session.now + 1_000 },
      });
    for (let number = 0; number < 16; number++) expect(give(number)).toHaveLength(1);
    expect(give(16)).toEqual([{ type: 'refused', code: 'too_many_shares' }]);
    session.pass(1_000);
    expect(framesOf(give(17))).toHaveLength(1);
    expect(session.context.shares).toHaveLength(1);
  });
});

describe('presence', () => {
  test('a shared session announces a user with their first connection and again when the last one is gone', () => {
    const session = shared('u2', 'read');
    expect(presence(enters(session, 'u2', 'b'))).toEqual(['u2 joined']);
    expect(presence(enters(session, 'u2', 'c'))).toEqual([]);
    expect(presence(session.receive({ type: 'detach', instance: 'b', userId: 'u2' }))).toEqual([]);
    expect(presence(session.receive({ type: 'detach', instance: 'c', userId: 'u2' }))).toEqual(['u2 left']);
  });

  test('a shared session announces presence while a turn runs too', () => {
    const session = shared('u2', 'read');
    session.ask(1, { author: 'u1' });
    expect(presence(enters(session, 'u2'))).toEqual(['u2 joined']);
    expect(presence(session.receive({ type: 'detach', instance: 'b', userId: 'u2' }))).toEqual(['u2 left']);
  });

  test('a dead instance takes all its users out of a shared session', () => {
    const session = shared('u2', 'read');
    enters(session, 'u2', 'a');
    expect(presence(session.receive({ type: 'detach', instance: 'a' }))).toEqual(['u1 left', 'u2 left']);
    expect(session.value).toEqual({ idle: 'fresh' });
    expect(session.context.present).toEqual([]);
  });

  test('a session that is not shared announces no presence', () => {
    const session = owned();
    expect(presence(session.receive({ type: 'detach', instance: 'a', userId: 'u1' }))).toEqual([]);
  });
});

describe('patient', () => {
  test('the patient data of a session are the newest ones, even from a waiting message', () => {
    const session = owned();
    session.ask(1, { patient: { age: 61 } });
    session.ask(2, { patient: { age: 61, smoker: true } });
    session.ask(3);
    expect(session.context.patient).toEqual({ age: 61, smoker: true });
  });

  test('a refused message does not change the patient data of a session', () => {
    const session = owned();
    session.ask(1, { patient: { age: 61 } });
    session.ask(2, { policy: 'reject', patient: { age: 16 } });
    expect(session.context.patient).toEqual({ age: 61 });
  });
});

describe('summary', () => {
  test('a summary is recorded in any state, and moves no deadline', () => {
    const session = owned();
    const { timers } = session.state;
    session.pass(1_000);
    expect(session.receive({ type: 'summarised', through: 't3', content: 'so far' })).toEqual([
      { type: 'summary', through: 't3', content: 'so far', at: session.now },
    ]);
    expect(session.state.timers).toEqual(timers);
  });
});
