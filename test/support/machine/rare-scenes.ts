/**
 * Scenes for the branches of the chart that a walk over its graph and random lives hardly take. Each ends with the event
 * that takes the branch; test/unit/machine/rare-branches.test.ts says what must follow.
 */
import type { FrameBody, SessionEffect } from '../../../machines/effects.ts';
import { restoreState } from '../../../src/session/machine/step.ts';
import { beginStepped, LIMITS, SteppedSession } from './stepped-session.ts';

export interface Scene {
  readonly promise: string;
  /** The transition that the last event takes. */
  readonly takes: string;
  readonly session: SteppedSession;
  /** The effects of the last event. */
  readonly effects: readonly SessionEffect[];
  /** Those of them that the promise is about. */
  readonly expected: readonly SessionEffect[];
  /** Where the session is then. */
  readonly rests: string;
}

const refused = (code: string, messageId?: string): SessionEffect =>
  ({ type: 'refused', code, ...(messageId === undefined ? {} : { messageId }) }) as SessionEffect;
const frame = (body: FrameBody): SessionEffect => ({ type: 'frame', frame: body });

type Play = (session: SteppedSession) => readonly SessionEffect[];

const answered: Play = (session) => {
  session.ask(1);
  return session.complete();
};
const alone: Play = (session) => session.receive({ type: 'detach', instance: 'a' });
const answeredAlone: Play = (session) => [...answered(session), ...alone(session)];

const ofBen = { turnIds: ['t1'], content: 'question 1', author: 'ben', isOneAuthor: true };
const stranger = { author: 'u9' } as const;
const again = { options: {}, turnId: 't9', messageId: 'm9' } as const;

interface Told {
  readonly promise: string;
  readonly takes: string;
  readonly owner?: string;
  readonly before?: Play;
  readonly last: Play;
  readonly effects: readonly SessionEffect[];
  readonly rests: string;
}

const told: readonly Told[] = [
  ...(['connected', 'idle'] as const).flatMap((state): readonly Told[] => {
    const before = state === 'connected' ? answered : answeredAlone;
    return [
      {
        promise: `a repeated request to answer again is refused in ${state}`,
        takes: `session.${state}:regenerate#1`,
        before,
        last: (session) => session.askAgain(2, { isRepeat: true }),
        effects: [refused('duplicate_message', 'm2')],
        rests: `${state}.fresh`,
      },
      {
        promise: `a user cannot have the question of another user answered again in ${state}`,
        takes: `session.${state}:regenerate#3`,
        before,
        last: (session) => session.askAgain(2, { author: 'ana', retraction: ofBen }),
        effects: [refused('forbidden', 'm2')],
        rests: `${state}.fresh`,
      },
    ];
  }),
  {
    promise: 'a question is answered again in an idle session, and its turn is retracted',
    takes: 'session.idle:regenerate#4',
    before: answeredAlone,
    last: (session) => session.askAgain(2),
    effects: [frame({ type: 'turn.retracted', turn_id: 't1' })],
    rests: 'processing.generating',
  },
  {
    promise: 'a user without access cannot attach to an idle session',
    takes: 'session.idle:attach#0',
    owner: 'u1',
    before: alone,
    last: (session) => session.receive({ type: 'attach', instance: 'b', userId: 'u9' }),
    effects: [refused('forbidden')],
    rests: 'idle.fresh',
  },
  {
    promise: 'a user without access cannot extend an idle session',
    takes: 'session.idle:extend#0',
    owner: 'u1',
    before: alone,
    last: (session) => session.receive({ type: 'extend', ...stranger }),
    effects: [refused('forbidden')],
    rests: 'idle.fresh',
  },
  {
    promise: 'a user without access cannot ask an idle session',
    takes: 'session.idle:message#0',
    owner: 'u1',
    before: alone,
    last: (session) => session.ask(1, stranger),
    effects: [refused('forbidden', 'm1')],
    rests: 'idle.fresh',
  },
  {
    promise: 'a user without access cannot have an idle session answer again',
    takes: 'session.idle:regenerate#0',
    owner: 'u1',
    before: alone,
    last: (session) => session.receive({ type: 'regenerate', ...again, ...stranger }),
    effects: [refused('forbidden', 'm9')],
    rests: 'idle.fresh',
  },
  {
    promise: 'an answer whose text cannot be continued starts over in the same turn',
    takes: 'session.processing.generating:error generation#0',
    before: (session) => session.ask(1),
    last: (session) => session.fail({ startOver: { content: 'question 1', author: null } }),
    effects: [
      frame({
        type: 'turn.started',
        turn_id: 't1',
        message_id: 'm1',
        queued: 0,
        content: 'question 1',
        restarts: 1,
      }),
    ],
    rests: 'processing.generating',
  },
  {
    promise: 'a message whose turn runs already is refused as a duplicate',
    takes: 'session.processing:message#1',
    before: (session) => session.ask(1),
    last: (session) => session.ask(1),
    effects: [refused('duplicate_message', 'm1')],
    rests: 'processing.generating',
  },
  {
    promise: 'a turn that was resumed as often as it may be fails',
    takes: 'session.processing:recover#1',
    before: (session) => {
      session.ask(1);
      for (let death = 0; death < LIMITS.resumesMax; death++) session.receive({ type: 'recover' });
      return [];
    },
    last: (session) => session.receive({ type: 'recover' }),
    effects: [frame({ type: 'turn.failed', turn_id: 't1', message_id: 'm1', code: 'interrupted' })],
    rests: 'connected.fresh',
  },
  {
    promise: 'a request to answer again that is a running message is refused as a duplicate',
    takes: 'session.processing:regenerate#1',
    before: (session) => session.ask(1),
    last: (session) => session.askAgain(1),
    effects: [refused('duplicate_message', 'm1')],
    rests: 'processing.generating',
  },
  {
    promise: 'a session refuses a share above its sixteenth',
    takes: 'session:share#1',
    before: (session) => {
      for (let guest = 1; guest <= 16; guest++) shareWith(session, guest);
      return [];
    },
    last: (session) => shareWith(session, 17),
    effects: [refused('too_many_shares')],
    rests: 'connected.fresh',
  },
];

function shareWith(session: SteppedSession, guest: number): readonly SessionEffect[] {
  const expiresAt = session.now + 60_000;
  const share = { id: `s${guest}`, userId: `g${guest}`, access: 'read', expiresAt } as const;
  return session.receive({ type: 'share', share });
}

/** No event leads here: `connected` shares its two states with `idle`, and every way into it is input. */
function warnedAndConnected(): Scene {
  const { state, now } = beginStepped();
  const { snapshot, timers } = state;
  const restored = restoreState(snapshot.value, { ...snapshot.context, warned: true }, timers, {});
  const session = new SteppedSession({ next: restored, effects: [] }, now);
  return {
    promise: 'a connected session that was warned before is not warned again',
    takes: 'session.connected.fresh:after idleWarning#0',
    session,
    effects: session.pass(LIMITS.idleMs - LIMITS.warnMs),
    expected: [],
    rests: 'connected.expiring',
  };
}

export function playScenes(): readonly Scene[] {
  const played = told.map(({ promise, takes, owner, before, last, effects, rests }): Scene => {
    const session = beginStepped({}, owner === undefined ? {} : { userId: owner });
    before?.(session);
    return { promise, takes, session, effects: last(session), expected: effects, rests };
  });
  return [...played, warnedAndConnected()];
}
