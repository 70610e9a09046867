import { describe, expect, it } from 'vitest';
import { scene } from '../support/client-scene.ts';

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
  it.each(cases)('after close code %i %s nothing is dialled any more: %s (%s)', (code, reason, why) => {
    const { greet, clock, last, sockets } = scene();
    greet().end(code, reason);
    clock.advance(3_600_000);
    expect(last('over')).toMatchObject({ why, code });
    expect(sockets).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it.each([1000, 1001, 1006, 1011, 1012, 1013, 4008, 4010])('close code %i is not the end', (code) => {
    const { greet, clock, sockets } = scene();
    greet().end(code);
    clock.advance(5_000);
    expect(sockets).toHaveLength(2);
  });

  it('is asked for again where the connection broke before the server agreed', () => {
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

  it('is known from the last frame of the log, even where the close code is lost', () => {
    const { greet, last } = scene();
    const socket = greet();
    socket.say({ type: 'expired', offset: 2, epoch: 1, reason: 'idle' });
    socket.end(1006);
    expect(last('over')).toMatchObject({ why: 'ended' });
  });

  it('leaves at once on stop, connected or waiting, and says so once', () => {
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

  it('is a fatal one where the address is none', () => {
    const { last } = scene({
      connect: () => {
        throw new SyntaxError('Invalid URL: nowhere');
      },
    });
    expect(last('over')).toMatchObject({ why: 'fatal', reason: 'Invalid URL: nowhere' });
  });

  it('does not come from a frame that cannot be read', () => {
    const { greet, clock, sockets } = scene();
    const socket = greet();
    socket.sayRaw('{"type":');
    clock.advance(50);
    expect(socket.closedWith).toBe(4000);
    expect(sockets).toHaveLength(2);
  });
});
