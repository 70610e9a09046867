import { describe, expect, test } from 'vitest';
import type { Share } from '../../../machines/vocabulary.ts';
import { beginStepped, framesOf, type SteppedSession } from '../../support/stepped-session.ts';

const HOUR_MS = 3_600_000;

/** A session that belongs to u1, who is in it. */
function owned(): SteppedSession {
  const session = beginStepped({ idleMs: 10 * HOUR_MS, absoluteMs: 20 * HOUR_MS });
  session.hear({ type: 'attach', instance: 'a', userId: 'u1' });
  return session;
}

function shared(userId: string, access: Share['access'], forMs = HOUR_MS): SteppedSession {
  const session = owned();
  session.hear({ type: 'share', share: { id: 's1', userId, access, expiresAt: session.now + forMs } });
  return session;
}

const enters = (session: SteppedSession, userId: string, instance = 'b') =>
  session.hear({ type: 'attach', instance, userId });
const forbidden = (effects: readonly object[]): boolean =>
  effects.some((effect) => 'code' in effect && effect.code === 'forbidden');
const presence = (effects: ReturnType<SteppedSession['hear']>) =>
  framesOf(effects).flatMap((frame) => (frame.type === 'presence' ? `${frame.user_id} ${frame.event}` : []));

describe('a session that belongs to somebody', () => {
  test('belongs to the first who says who it is', () => {
    const session = owned();
    expect(session.context.userId).toBe('u1');
  });

  test('lets no stranger in, and is not kept alive by one', () => {
    const session = owned();
    const { context } = session;
    session.pass(1_000);
    expect(forbidden(enters(session, 'u2'))).toBe(true);
    expect(session.context).toEqual(context);
  });

  test('takes no message from a stranger, whether a turn runs or not', () => {
    const session = owned();
    expect(session.ask(1, { author: 'u2' })).toEqual([
      { type: 'refused', code: 'forbidden', messageId: 'm1' },
    ]);
    session.ask(2, { author: 'u1' });
    expect(forbidden(session.ask(3, { author: 'u2', policy: 'interrupt' }))).toBe(true);
    expect(session.context.turn?.id).toBe('t2');
  });

  test('lets its owner come back, from anywhere', () => {
    const session = owned();
    expect(forbidden(enters(session, 'u1'))).toBe(false);
    expect(session.context.attached).toEqual(['a', 'b']);
  });
});

describe('a share', () => {
  test('is said, with what it allows and how long', () => {
    const session = owned();
    const share = { id: 's1', userId: 'u2', access: 'write', expiresAt: session.now + 5 } as const;
    expect(framesOf(session.hear({ type: 'share', share }))).toEqual([
      { type: 'shared', share_id: 's1', user_id: 'u2', access: 'write', expires_at: session.now + 5 },
    ]);
  });

  test('to read lets somebody in who may not write', () => {
    const session = shared('u2', 'read');
    expect(forbidden(enters(session, 'u2'))).toBe(false);
    expect(forbidden(session.ask(1, { author: 'u2' }))).toBe(true);
  });

  test('to write lets somebody write, under their own name', () => {
    const session = shared('u2', 'write');
    enters(session, 'u2');
    const effects = session.ask(1, { author: 'u2' });
    expect(effects).toContainEqual(expect.objectContaining({ type: 'question', author: 'u2' }));
    expect(framesOf(effects).at(-1)).toMatchObject({ type: 'turn.started', author: 'u2' });
  });

  test('is over at its time', () => {
    const session = shared('u2', 'write', 1_000);
    session.pass(1_000);
    expect(forbidden(enters(session, 'u2'))).toBe(true);
  });

  test('of somebody who has one takes its place', () => {
    const session = shared('u2', 'read');
    const share = { id: 's2', userId: 'u2', access: 'write', expiresAt: session.now + HOUR_MS } as const;
    session.hear({ type: 'share', share });
    expect(session.context.shares.map(({ id }) => id)).toEqual(['s2']);
  });

  test('can be taken back, which is said', () => {
    const session = shared('u2', 'write');
    expect(framesOf(session.hear({ type: 'unshare', shareId: 's1' }))).toEqual([
      { type: 'unshared', share_id: 's1', user_id: 'u2' },
    ]);
    expect(forbidden(enters(session, 'u2'))).toBe(true);
  });

  test('that nobody knows is taken back without a word', () => {
    expect(shared('u2', 'write').hear({ type: 'unshare', shareId: 's9' })).toEqual([]);
  });

  test('is refused where there are many already; those that are over do not count', () => {
    const session = owned();
    const give = (number: number) =>
      session.hear({
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

describe('who is here', () => {
  test('is said of a shared session when somebody comes and when their last connection is gone', () => {
    const session = shared('u2', 'read');
    expect(presence(enters(session, 'u2', 'b'))).toEqual(['u2 joined']);
    expect(presence(enters(session, 'u2', 'c'))).toEqual([]);
    expect(presence(session.hear({ type: 'detach', instance: 'b', userId: 'u2' }))).toEqual([]);
    expect(presence(session.hear({ type: 'detach', instance: 'c', userId: 'u2' }))).toEqual(['u2 left']);
  });

  test('is said too while a turn runs', () => {
    const session = shared('u2', 'read');
    session.ask(1, { author: 'u1' });
    expect(presence(enters(session, 'u2'))).toEqual(['u2 joined']);
    expect(presence(session.hear({ type: 'detach', instance: 'b', userId: 'u2' }))).toEqual(['u2 left']);
  });

  test('an instance that is gone takes everybody with it who was there', () => {
    const session = shared('u2', 'read');
    enters(session, 'u2', 'a');
    expect(presence(session.hear({ type: 'detach', instance: 'a' }))).toEqual(['u1 left', 'u2 left']);
    expect(session.value).toEqual({ idle: 'fresh' });
    expect(session.context.present).toEqual([]);
  });

  test('is nobody’s business in a session that is not shared', () => {
    const session = owned();
    expect(presence(session.hear({ type: 'detach', instance: 'a', userId: 'u1' }))).toEqual([]);
  });
});

describe('what is known of the patient', () => {
  test('is what came last, also with a message that waits', () => {
    const session = owned();
    session.ask(1, { patient: { age: 61 } });
    session.ask(2, { patient: { age: 61, smoker: true } });
    session.ask(3);
    expect(session.context.patient).toEqual({ age: 61, smoker: true });
  });

  test('is not learnt from a message that is refused', () => {
    const session = owned();
    session.ask(1, { patient: { age: 61 } });
    session.ask(2, { policy: 'reject', patient: { age: 16 } });
    expect(session.context.patient).toEqual({ age: 61 });
  });
});

describe('a summary', () => {
  test('is recorded in any state, and moves no deadline', () => {
    const session = owned();
    const { timers } = session.resting;
    session.pass(1_000);
    expect(session.hear({ type: 'summarised', through: 't3', content: 'so far' })).toEqual([
      { type: 'summary', through: 't3', content: 'so far', at: session.now },
    ]);
    expect(session.resting.timers).toEqual(timers);
  });
});
