import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Limit, openLimit, openLimits, senderKey } from '../../../src/limits/limits.ts';

describe('limit', () => {
  let refusals: number;
  let limit: Limit;
  beforeEach(() => {
    vi.useFakeTimers();
    refusals = 0;
    limit = opened(3);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function opened(perMinute: number): Limit {
    const made = openLimit(perMinute, () => {
      refusals += 1;
    });
    if (made === null) throw new Error('it is off');
    return made;
  }

  const taken = async (key: string, times: number) => {
    const waits: number[] = [];
    for (let time = 0; time < times; time += 1) waits.push(await limit.take(key));
    return waits;
  };

  it('a limit gives each key its points per minute, and tells the rest of the minute', async () => {
    expect(await taken('a', 3)).toEqual([0, 0, 0]);
    vi.advanceTimersByTime(20_000);
    expect(await taken('a', 2)).toEqual([40_000, 40_000]);
    expect(await taken('b', 1)).toEqual([0]);
    expect(refusals).toBe(2);
  });

  it('a limit returns all points when the minute ends, after any number of refusals', async () => {
    await taken('a', 50);
    vi.advanceTimersByTime(59_999);
    expect(await taken('a', 1)).toEqual([1]);
    vi.advanceTimersByTime(1);
    expect(await taken('a', 4)).toEqual([0, 0, 0, 60_000]);
  });

  it('a limit tells the wait without taking a point', async () => {
    for (let time = 0; time < 10; time += 1) expect(await limit.wait('a')).toBe(0);
    expect(refusals).toBe(0);
    await taken('a', 3);
    expect(await limit.wait('a')).toBe(60_000);
    expect(refusals).toBe(1);
    vi.advanceTimersByTime(60_000);
    expect(await limit.wait('a')).toBe(0);
  });

  it('a limit counts points spent afterwards without refusing them', async () => {
    for (let time = 0; time < 3; time += 1) {
      expect(await limit.wait('a')).toBe(0);
      limit.spend('a');
    }
    expect(refusals).toBe(0);
    limit.spend('a');
    expect(await limit.wait('a')).toBe(60_000);
  });

  it('a limit makes no client wait longer than a minute, even if the wall clock is set back', async () => {
    await taken('a', 3);
    vi.setSystemTime(Date.now() - 3_600_000);
    expect(await taken('a', 1)).toEqual([60_000]);
    expect(await limit.wait('a')).toBe(60_000);
    vi.advanceTimersByTime(60_000);
    expect(await taken('a', 1)).toEqual([0]);
  });

  it('a limit keeps no state of a key whose minute is over', async () => {
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => limit.take(`key ${n}`)));
    expect(vi.getTimerCount()).toBe(1_000);
    vi.advanceTimersByTime(60_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a limit by address counts the addresses of one IPv6 network as one client', async () => {
    const rates = {
      connectionsPerMinute: 1,
      requestsPerMinute: 1,
      messagesPerMinute: 1,
      guessesPerMinute: 1,
      failedCredentialsPerMinute: 1,
    };
    const refused: string[] = [];
    const limits = openLimits(rates, (name) => refused.push(name));
    for (const name of ['connections', 'requests', 'guesses', 'credentials'] as const) {
      expect(await limits[name]?.take('2001:db8:1:2::3')).toBe(0);
      expect(await limits[name]?.take('2001:0db8:0001:0002:ffff:0000:0000:0001')).toBe(60_000);
      expect(await limits[name]?.take('2001:db8:1:3::3')).toBe(0);
    }
    for (const user of ['2001:db8:1:2::3', '2001:db8:1:2::4'])
      expect(await limits.messages?.take(user)).toBe(0);
    expect(refused).toEqual(['connections', 'requests', 'guesses', 'credentials']);
  });

  it('a limit of 0 is null, so that callers await nothing', () => {
    expect(openLimit(0, () => {})).toBeNull();
  });
});

it('a user whose name is a session id does not share the points of that session', () => {
  const [id, session] = ['6f1c2a9e-8a4e-4a57-9f0b-0d1f2c3b4a59', '3e1f0c52-6c1c-4b62-9a5e-0b6d1f0f4a11'];
  const keyOf = (userId: string | null | undefined, sessionId: string) => senderKey({ userId }, sessionId);
  expect(keyOf(id, session)).not.toBe(keyOf(session, id));
  expect(keyOf(session, session)).not.toBe(keyOf(null, session));
  expect(keyOf(undefined, session)).toBe(keyOf(null, session));
  expect(keyOf(id, session)).toBe(keyOf(id, 'another session'));
});

it('users of two tenants with the same id share no points, and no user id names a user of another tenant', () => {
  const keys = [
    senderKey({ userId: 'ada' }, 's'),
    senderKey({ userId: 'ada', tenant: 'acme' }, 's'),
    senderKey({ userId: 'ada', tenant: 'acme.north' }, 's'),
    senderKey({ userId: '@acme ada' }, 's'),
    senderKey({ userId: 'north ada', tenant: 'acme' }, 's'),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(senderKey({ userId: 'ada', tenant: '' }, 's')).toBe(senderKey({ userId: 'ada' }, 's'));
});
