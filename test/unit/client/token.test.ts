/** A client shows its token in hello, renews it before it ends, and comes back with a new one. */
import { describe, expect, it } from 'vitest';
import { SESSION, scene, started } from './client-scene.ts';

/** Lets a token that was asked for arrive. */
const arrive = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Gives t-1, t-2 and so on. */
function issuer() {
  let issued = 0;
  return async () => {
    issued += 1;
    return `t-${issued}`;
  };
}

const refusal = (code: string) => ({ type: 'error', code, message: '', retryable: false });

describe('a client with a token', () => {
  it('a client shows its token in hello and never in the address', () => {
    const { socket } = scene({ token: 'secret' });
    socket().open();
    expect(socket().sent).toEqual([{ type: 'hello', token: 'secret' }]);
    expect(socket().url).not.toContain('secret');
  });

  it('a client asks for a token before each connection, and shows a fresh one each time', async () => {
    const { clock, greet, sockets } = scene({ token: issuer() });
    expect(sockets).toHaveLength(0);
    await arrive();
    expect(greet().sent[0]).toEqual({ type: 'hello', token: 't-1' });
    sockets[0]!.end(1006);
    clock.advance(50);
    await arrive();
    expect(greet().sent[0]).toMatchObject({ session_id: SESSION, token: 't-2' });
  });

  it('a client without a token for now tries again, and says why it is not connected', async () => {
    let isAway = true;
    const token = async () => {
      if (isAway) throw new Error('the provider is away');
      return 't';
    };
    const { clock, last, sockets } = scene({ token });
    await arrive();
    expect(last('lost')).toMatchObject({ code: 1006, reason: 'no token: the provider is away' });
    expect(sockets).toHaveLength(0);
    isAway = false;
    clock.advance(5_000);
    await arrive();
    expect(sockets).toHaveLength(1);
  });

  it('a client that gets no answer about its token asks again after a deadline', async () => {
    let asked = 0;
    const { clock, last } = scene({
      token: () => {
        asked += 1;
        return new Promise(() => {});
      },
    });
    await arrive();
    clock.advance(15_000);
    expect(last('lost')?.reason).toBe('no token within 15 s');
    clock.advance(5_000);
    expect(asked).toBe(2);
  });

  it('a client that is stopped while it waits for its token dials no more', async () => {
    const { clock, session, sockets, last } = scene({ token: issuer() });
    session.stop();
    await arrive();
    clock.advance(60_000);
    expect(sockets).toHaveLength(0);
    expect(last('over')).toMatchObject({ why: 'stopped' });
    expect(clock.pending).toBe(0);
  });
});

describe('a client whose credential ends', () => {
  it('a client renews its token before the end that the server names, and again before the next end', async () => {
    const { clock, greet } = scene({ token: issuer() });
    await arrive();
    const socket = greet({ identity_expires_at: 100_000 });
    const server = async (untilMs: number) => {
      while (clock.now() < untilMs) {
        clock.advance(5_000);
        await arrive();
        socket.say({ type: 'pong' });
      }
    };
    await server(75_000);
    expect(socket.ofType('authenticate')).toEqual([]);
    await server(80_000);
    expect(socket.ofType('authenticate')).toEqual([{ type: 'authenticate', token: 't-2' }]);
    socket.say({ type: 'authenticated', expires_at: 1_000_000 });
    await server(935_000);
    expect(socket.ofType('authenticate')).toHaveLength(1);
    await server(940_000);
    expect(socket.ofType('authenticate')).toHaveLength(2);
  });

  it('a client asks a few more times if its provider has no newer token yet, and stops at the end', async () => {
    let asked = 0;
    const token = async () => {
      asked += 1;
      if (asked > 1) throw new Error('not yet');
      return 't';
    };
    const { clock, greet } = scene({ token });
    await arrive();
    const socket = greet({ identity_expires_at: 100_000 });
    while (clock.now() < 200_000) {
      clock.advance(500);
      await arrive();
      if (clock.now() % 5_000 === 0) socket.say({ type: 'pong' });
    }
    expect(socket.ofType('authenticate')).toEqual([]);
    expect(asked).toBeGreaterThan(2);
    expect(asked).toBeLessThan(8);
  });

  it.each([[{}], [{ identity_expires_at: 100_000 }]])(
    'a client with one fixed token, or whose credential has no end, renews nothing: %o',
    (welcome) => {
      const { clock, greet } = scene('identity_expires_at' in welcome ? { token: 'fixed' } : {});
      const socket = greet(welcome);
      for (let second = 0; second < 200; second += 5) {
        clock.advance(5_000);
        socket.say({ type: 'pong' });
      }
      expect(socket.ofType('authenticate')).toEqual([]);
    },
  );

  it('after close 4002 a client connects again with a new token and resumes after the last frame', async () => {
    const { clock, greet, socket } = scene({ token: issuer() });
    await arrive();
    const first = greet();
    first.say(started(2, 'a'));
    first.say(refusal('identity_ended'));
    first.end(4002, 'identity_ended');
    clock.advance(50);
    await arrive();
    socket().open();
    expect(socket().sent).toEqual([{ type: 'hello', session_id: SESSION, after: 2, epoch: 1, token: 't-2' }]);
  });

  it('a credential that ends before the welcome does not end the session of a client with a new one', async () => {
    const { clock, sockets, socket, last } = scene({ token: issuer() });
    await arrive();
    socket().open();
    socket().say(refusal('identity_ended'));
    socket().end(4002, 'identity_ended');
    clock.advance(5_000);
    await arrive();
    expect(last('over')).toBeUndefined();
    expect(sockets).toHaveLength(2);
  });

  it('close 4002 is final for a client with one fixed token, and no reason to give up for one that a proxy proves', () => {
    const fixed = scene({ token: 'fixed' });
    fixed.greet().end(4002, 'identity_ended');
    expect(fixed.last('over')).toMatchObject({ why: 'fatal', code: 4002, reason: 'identity_ended' });
    const behindProxy = scene();
    behindProxy.greet().end(4002, 'identity_ended');
    behindProxy.clock.advance(5_000);
    expect(behindProxy.sockets).toHaveLength(2);
  });

  it('a refused token ends the session with its own close code, and is not shown again', async () => {
    const { clock, sockets, socket, last } = scene({ token: issuer() });
    await arrive();
    socket().open();
    socket().say(refusal('unauthenticated'));
    socket().end(4001, 'unauthenticated');
    clock.advance(60_000);
    await arrive();
    expect(last('over')).toMatchObject({ why: 'fatal', code: 4001, reason: 'unauthenticated' });
    expect(sockets).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });
});

describe('a session that the server does not know', () => {
  it('a client whose session is unknown starts a new one on the same connection', () => {
    const { clock, sockets, socket, session, last, events } = scene({
      token: 't',
      sessionId: SESSION,
      after: 0,
    });
    socket().open();
    socket().say(refusal('session_not_found'));
    expect(socket().sent.map(({ session_id, after }) => ({ session_id, after }))).toEqual([
      { session_id: SESSION, after: 0 },
      {},
    ]);
    const id = '0b9b1f0e-5d0c-4c53-9d57-2f7a3f9d8a11';
    socket().say({
      type: 'welcome',
      session_id: id,
      resumed: false,
      state: 'connected',
      offset: 1,
      epoch: 1,
    });
    clock.advance(0);
    expect(session.id).toBe(id);
    expect(sockets).toHaveLength(1);
    expect(last('over')).toBeUndefined();
    expect(events.filter(({ type }) => type === 'reset')).toEqual([]);
  });

  it('a client drops the conversation of a session that is gone, and sends what was undecided to the new one', () => {
    const { clock, greet, socket, session, last } = scene({ token: 't' });
    const first = greet();
    first.say(started(2, 'a'));
    session.send('still there?', { id: 'b' });
    first.end(1006);
    clock.advance(50);
    socket().open();
    socket().say(refusal('session_not_found'));
    expect(last('reset')).toEqual({ type: 'reset', reason: 'fresh' });
    expect(session.conversation.turns).toEqual([]);
    expect(socket().ofType('message')).toEqual([]);
    greet({ session_id: '0b9b1f0e-5d0c-4c53-9d57-2f7a3f9d8a11', resumed: false });
    expect(socket().ofType('message')).toMatchObject([{ id: 'b', content: 'still there?' }]);
  });

  it('a client that had asked for the end of its session takes an unknown session for ended', () => {
    const { clock, greet, socket, session, last } = scene({ token: 't' });
    const first = greet();
    session.close();
    first.end(1006);
    clock.advance(50);
    socket().open();
    socket().say(refusal('session_not_found'));
    expect(last('over')).toMatchObject({ why: 'ended' });
  });
});
