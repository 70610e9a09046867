import { describe, expect, it } from 'vitest';
import { scene } from './client-scene.ts';

describe('the end of a session', () => {
  const cases: readonly (readonly [number, string, string])[] = [
    [4011, '', 'ended'],
    [1000, 'closed', 'ended'],
    [4009, '', 'replaced'],
    [4001, '', 'fatal'],
    [4003, '', 'fatal'],
    [1008, '', 'fatal'],
    [1009, '', 'fatal'],
  ];
  it.each(cases)('close code %i %s ends the session for good: %s', (code, reason, why) => {
    const { greet, clock, last, sockets } = scene();
    greet().end(code, reason);
    clock.advance(3_600_000);
    expect(last('over')).toMatchObject({ why, code });
    expect(sockets).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it.each([1000, 1001, 1006, 1011, 1012, 1013, 4008, 4010])(
    'a client reconnects after close code %i',
    (code) => {
      const { greet, clock, sockets } = scene();
      greet().end(code);
      clock.advance(5_000);
      expect(sockets).toHaveLength(2);
    },
  );

  it('a client asks for the end of its session again if the connection broke before the server confirmed it', () => {
    const { greet, clock, session, last } = scene();
    const first = greet();
    session.close();
    expect(first.ofType('close')).toHaveLength(1);
    first.end(1006);
    clock.advance(50);
    const second = greet();
    expect(second.ofType('close')).toHaveLength(1);
    second.end(1000, 'closed');
    expect(last('over')).toMatchObject({ why: 'ended' });
  });

  it('a client knows the end of its session from the last frame of the log, even without a close code', () => {
    const { greet, last } = scene();
    const socket = greet();
    socket.say({ type: 'expired', offset: 2, epoch: 1, reason: 'idle' });
    socket.end(1006);
    expect(last('over')).toMatchObject({ why: 'ended' });
  });

  it('stop ends the client without a further dial and with one event, whether it is connected or waiting', () => {
    const connected = scene();
    const socket = connected.greet();
    connected.session.stop();
    connected.session.stop();
    socket.end(1000);
    expect(socket.closedWith).toBe(1000);
    const waiting = scene();
    waiting.socket().end(1006);
    waiting.session.stop();
    for (const { clock, events, sockets } of [connected, waiting]) {
      clock.advance(60_000);
      expect(sockets).toHaveLength(1);
      expect(events.filter(({ type }) => type === 'over')).toHaveLength(1);
    }
  });

  it('an invalid address ends the session as fatal', () => {
    const { last } = scene({
      connect: () => {
        throw new SyntaxError('Invalid URL: nowhere');
      },
    });
    expect(last('over')).toMatchObject({ why: 'fatal', reason: 'Invalid URL: nowhere' });
  });

  it('a client gives up after the caller’s wait, and reports the reason of the last attempt', () => {
    const { clock, last, socket, sockets } = scene({ giveUpAfterMs: 1_000 });
    while (last('over') === undefined && sockets.length < 1_000) {
      socket().fail({ error: { code: 'ECONNREFUSED' } });
      socket().end(1006);
      clock.advance(200);
    }
    expect(last('over')).toMatchObject({ why: 'unreachable', code: 1006, reason: 'ECONNREFUSED' });
    const dialled = sockets.length;
    clock.advance(3_600_000);
    expect(sockets).toHaveLength(dialled);
    expect(clock.pending).toBe(0);
  });

  it('the caller’s wait starts over after a connection that succeeded', () => {
    const { clock, greet, last, socket } = scene({ giveUpAfterMs: 1_000 });
    clock.advance(900);
    greet().end(1006);
    clock.advance(900);
    expect(last('over')).toBeUndefined();
    socket().end(1006);
    clock.advance(100);
    expect(last('over')).toMatchObject({ why: 'unreachable' });
  });

  it('a client without a limit never gives up', () => {
    const { clock, last, socket, sockets } = scene();
    for (let attempt = 0; attempt < 100; attempt += 1) {
      socket().end(1006);
      clock.advance(5_000);
    }
    expect(sockets.length).toBeGreaterThan(100);
    expect(last('over')).toBeUndefined();
  });

  const refuse = (socket: ReturnType<ReturnType<typeof scene>['socket']>, status: number): void => {
    socket.fail({ message: `Unexpected server response: ${status}` });
    socket.end(1006);
  };

  it.each([200, 301, 400, 401, 403, 404, 426])(
    'a first upgrade that the server refuses with %i ends the session',
    (status) => {
      const { clock, last, socket, sockets } = scene();
      refuse(socket(), status);
      clock.advance(3_600_000);
      expect(last('over')).toMatchObject({ why: 'refused', reason: expect.stringContaining(String(status)) });
      expect(sockets).toHaveLength(1);
      expect(clock.pending).toBe(0);
    },
  );

  it.each([408, 425, 429, 500, 502, 503])(
    'a client reconnects after an upgrade that the server refuses with %i',
    (status) => {
      const { clock, last, socket, sockets } = scene();
      refuse(socket(), status);
      clock.advance(5_000);
      expect(last('over')).toBeUndefined();
      expect(sockets).toHaveLength(2);
    },
  );

  it('a client reconnects after the 404 of a proxy at an address that welcomed it before', () => {
    const { clock, greet, last, socket, sockets } = scene();
    greet().end(1012);
    clock.advance(50);
    refuse(socket(), 404);
    clock.advance(5_000);
    expect(last('over')).toBeUndefined();
    expect(sockets).toHaveLength(3);
  });

  it('a client with a wrong path in its address learns the right path', () => {
    const { last, socket } = scene({ urls: ['ws://one/elsewhere'] });
    refuse(socket(), 404);
    expect(last('over')?.reason).toBe(
      'ws://one/elsewhere answered 404: the path is wrong, sessions are at /v1/session',
    );
  });

  it('a client reconnects after an unreadable frame', () => {
    const { greet, clock, sockets } = scene();
    const socket = greet();
    socket.sayRaw('{"type":');
    clock.advance(50);
    expect(socket.closedWith).toBe(4000);
    expect(sockets).toHaveLength(2);
  });
});
