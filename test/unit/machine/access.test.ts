/** The whole table of access: each event of the vocabulary, from each kind of client, in each state. */
import { describe, expect, test } from 'vitest';
import { accessOf, neededAccess } from '../../../machines/access.ts';
import { type SessionEvent, sentEventSchema } from '../../../machines/vocabulary.ts';
import { beginStepped, type SteppedSession, type Untimed } from '../../support/machine/stepped-session.ts';

const HOUR_MS = 3_600_000;

/** One way into each state that takes events. */
const ways: Readonly<Record<string, (session: SteppedSession) => void>> = {
  connected: () => {},
  idle: (session) => void session.receive({ type: 'detach', instance: 'a' }),
  generating: (session) => void session.ask(1, { author: 'owner', tenant: 'acme' }),
  recovering: (session) => {
    session.ask(1, { author: 'owner', tenant: 'acme' });
    session.fail();
  },
};

/** The clients of a session of the tenant acme. */
const clients = {
  owner: { author: 'owner', tenant: 'acme' },
  'write guest': { author: 'writer', tenant: 'acme' },
  'read guest': { author: 'reader', tenant: 'acme' },
  'guest whose share has ended': { author: 'former', tenant: 'acme' },
  'guest whose share is revoked': { author: 'revoked', tenant: 'acme' },
  'other user': { author: 'other', tenant: 'acme' },
  'client without a user': { author: null, tenant: 'acme' },
  'user of another tenant with the name of the owner': { author: 'owner', tenant: 'evil' },
  'user of the default tenant with the name of the owner': { author: 'owner' },
} as const;
type Client = keyof typeof clients;

const GRANTED: Readonly<Partial<Record<Client, string>>> = {
  owner: 'owner',
  'write guest': 'write',
  'read guest': 'read',
};
const INCLUDED: Readonly<Record<string, readonly string[]>> = {
  read: ['read', 'write', 'owner'],
  write: ['write', 'owner'],
  owner: ['owner'],
};

/** A session of the user `owner`, with two guests and two former ones. */
function sharedSession(state: string): SteppedSession {
  const session = beginStepped(
    { idleMs: 10 * HOUR_MS, absoluteMs: 20 * HOUR_MS },
    { userId: 'owner', tenant: 'acme' },
  );
  const share = (userId: string, access: 'read' | 'write', forMs = HOUR_MS) =>
    session.receive({
      type: 'share',
      ...clients.owner,
      share: { id: `to ${userId}`, userId, access, expiresAt: session.now + forMs },
    });
  share('writer', 'write');
  share('reader', 'read');
  share('former', 'write', 1);
  share('revoked', 'write');
  session.receive({ type: 'unshare', ...clients.owner, shareId: 'to revoked' });
  session.pass(1);
  ways[state]?.(session);
  return session;
}

type ClientEvent = Exclude<SessionEvent['type'], 'detach' | 'summarised' | 'recover'>;
type From = { readonly author?: string | null; readonly tenant?: string };

const message = { messageId: 'm9', turnId: 't9', content: 'one more', policy: 'queue', options: {} } as const;
const events: Readonly<Record<ClientEvent, (from: From, session: SteppedSession) => Untimed<SessionEvent>>> =
  {
    attach: ({ author, tenant }) => ({
      type: 'attach',
      instance: 'b',
      ...(typeof author === 'string' && { userId: author }),
      ...(tenant !== undefined && { tenant }),
    }),
    message: (from) => ({ type: 'message', ...from, ...message }),
    regenerate: (from) => ({ type: 'regenerate', ...from, messageId: 'm9', turnId: 't9', options: {} }),
    fork: (from) => ({ type: 'fork', ...from, messageId: 'm9', sessionId: 'forked', turnId: 't1' }),
    cancel: (from) => ({ type: 'cancel', ...from }),
    extend: (from) => ({ type: 'extend', ...from }),
    close: (from) => ({ type: 'close', ...from, reason: 'closed' }),
    share: (from, { now }) => ({
      type: 'share',
      ...from,
      share: { id: 's9', userId: 'another', access: 'write', expiresAt: now + HOUR_MS },
    }),
    unshare: (from) => ({ type: 'unshare', ...from, shareId: 'to reader' }),
  };
const clientEvents = Object.keys(events) as readonly ClientEvent[];

describe('table of access', () => {
  test('the table of access has a row for each event that can come from outside, and for no client event `instance`', () => {
    const sent = sentEventSchema.options.map(({ shape }) => shape.type.value);
    expect(Object.keys(neededAccess).sort()).toEqual([...sent, 'summarised', 'recover'].sort());
    const ofInstances = Object.entries(neededAccess).flatMap(([type, needed]) =>
      needed === 'instance' ? type : [],
    );
    expect(ofInstances).toEqual(['detach', 'summarised', 'recover']);
  });

  describe.each(Object.keys(ways))('in the state %s', (state) => {
    describe.each(Object.keys(clients) as readonly Client[])('%s', (client) => {
      test.each(clientEvents)(
        `a session in the state ${state} takes %s from a client exactly if the table lets a client like this one send it: ${client}`,
        (type) => {
          const session = sharedSession(state);
          const before = session.state;
          const effects = session.receive(events[type](clients[client], session));
          const isAllowed = INCLUDED[neededAccess[type]]?.includes(GRANTED[client] ?? 'none') === true;
          const isNamed = type === 'message' || type === 'regenerate' || type === 'fork';
          const named = isNamed ? { messageId: 'm9' } : {};
          const refusal = { type: 'refused', code: 'forbidden', ...named };
          if (isAllowed) return expect(effects).not.toContainEqual(refusal);
          expect(effects).toEqual([refusal]);
          expect(session.state).toBe(before);
        },
      );
    });

    test.each(clientEvents.filter((type) => type !== 'attach'))(
      `an instance or an administrator may send %s to a session in the state ${state}`,
      (type) => {
        const session = sharedSession(state);
        const effects = session.receive(events[type]({}, session));
        expect(effects).not.toContainEqual(expect.objectContaining({ code: 'forbidden' }));
      },
    );
  });
});

describe('who gets in', () => {
  test('a client that leaves out the name has no access to a session that has a user', () => {
    const { context, now } = sharedSession('connected');
    expect(accessOf(context, { userId: null, tenant: 'acme' }, now)).toBe('none');
  });

  test('a client without a user may do everything in a session without one', () => {
    const session = beginStepped();
    expect(accessOf(session.context, { userId: null }, session.now)).toBe('owner');
  });

  test('a proven user may not take over a session without a user', () => {
    const session = beginStepped();
    const attach = { type: 'attach', instance: 'b', userId: 'u1' } as const;
    expect(session.receive({ ...attach, isProven: true })).toEqual([{ type: 'refused', code: 'forbidden' }]);
    expect(session.context.userId).toBeNull();
    session.receive(attach);
    expect(session.context.userId).toBe('u1');
  });

  test('a proven user enters their own session', () => {
    const session = sharedSession('idle');
    const attach = {
      type: 'attach',
      instance: 'b',
      userId: 'owner',
      tenant: 'acme',
      isProven: true,
    } as const;
    expect(session.receive(attach)).not.toContainEqual(expect.objectContaining({ type: 'refused' }));
    expect(session.context.attached).toEqual(['b']);
  });

  test('an instance that was wrongly taken for dead attaches again to a session that has a user', () => {
    const session = sharedSession('idle');
    session.receive({ type: 'attach', instance: 'a', isReturn: true });
    expect(session.context.attached).toEqual(['a']);
  });

  test('the empty tenant is the default tenant', () => {
    const { context, now } = beginStepped({}, { userId: 'u1', tenant: '' });
    expect(context).not.toHaveProperty('tenant');
    expect(accessOf(context, { userId: 'u1', tenant: '' }, now)).toBe('owner');
    expect(accessOf(context, { userId: 'u1' }, now)).toBe('owner');
  });

  test('a guest with read access does not change the names of a session', () => {
    const session = sharedSession('connected');
    const names = { clientId: 'theirs', diagnosisId: 'theirs' };
    session.receive({ type: 'attach', instance: 'b', userId: 'reader', tenant: 'acme', ...names });
    expect(session.context).toMatchObject({ clientId: null, diagnosisId: null, attached: ['a', 'b'] });
  });
});
