/** One session in each stable state, made by real steps. */
import { type Snapshot, toSnapshot } from '../../../src/session/machine/snapshot.ts';
import { beginStepped, LIMITS, type SteppedSession } from './stepped-session.ts';

const beforeTheEnd = LIMITS.idleMs - LIMITS.warnMs / 2;

const lives: Readonly<Record<string, (session: SteppedSession) => void>> = {
  'connected.fresh': (session) => {
    session.receive({ type: 'attach', instance: 'a', clientId: 'c1', userId: 'u1', diagnosisId: 'd1' });
    const share = { id: 's1', userId: 'u2', access: 'write', expiresAt: session.now + 60_000 } as const;
    session.receive({ type: 'share', share });
    session.receive({ type: 'attach', instance: 'b', userId: 'u2' });
    session.ask(1, { author: 'u2', patient: { age: 61, complaint: 'chest pain' } });
    session.pass(2_000);
    session.complete();
  },
  'connected.expiring': (session) => void session.pass(beforeTheEnd),
  'processing.generating': (session) => {
    const asked = { instructions: 'Answer briefly.', tags: { ward: '3b' } };
    session.ask(1, { options: { maxTokens: 64, temperature: 0.5, stop: ['\n'] }, ...asked });
    session.ask(2, asked);
    session.receive({ type: 'recover' });
  },
  'processing.recovering': (session) => {
    session.ask(1);
    session.ask(2, { policy: 'queue', options: { maxTokens: 8 }, author: 'u3' });
    session.ask(3, { policy: 'merge' });
    session.ask(4, { policy: 'merge' });
    session.receive({ type: 'detach', instance: 'a' });
    session.fail();
  },
  'idle.fresh': (session) => void session.receive({ type: 'detach', instance: 'a' }),
  'idle.expiring': (session) => {
    session.pass(beforeTheEnd);
    session.receive({ type: 'detach', instance: 'a' });
    session.pass(1);
  },
};

/** The clients that begin the sessions; the others name no user and no tenant. */
const clients: Readonly<Record<string, Parameters<typeof beginStepped>[1]>> = {
  'idle.expiring': { userId: 'u1', tenant: 'acme' },
  'idle.fresh': { origin: { sessionId: 'stepped before', turnId: 't0' }, tags: { ward: '3b' } },
};

/** The sessions by the state that they rest in. */
export function goldenLives(): Readonly<Record<string, SteppedSession>> {
  return Object.fromEntries(
    Object.entries(lives).map(([state, live]) => {
      const session = beginStepped({}, clients[state]);
      live(session);
      return [state, session];
    }),
  );
}

export function goldenSessions(): Readonly<Record<string, Snapshot>> {
  return Object.fromEntries(
    Object.entries(goldenLives()).map(([state, session]) => [
      state,
      toSnapshot(session.state, session.context.turn === null ? 0 : 3),
    ]),
  );
}
