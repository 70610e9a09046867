/**
 * An operator or a time service sets the wall clock. Dates follow it, durations must not: an hour may seem to pass within
 * a moment, or no time within an hour.
 */
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClaimedSession, SessionWriter } from '../../../src/session/actor/session-writer.ts';
import { Membership } from '../../../src/session/cluster/membership.ts';
import type { Store } from '../../../src/store/contract.ts';
import { LEASE_MS, openStage, type Stage, type Visitor } from '../../support/actor/stage.ts';
import { VirtualClock } from '../../support/actor/virtual-clock.ts';

const HOUR_MS = 3_600_000;
const FLUSH_MS = 25;
const HIBERNATE_MS = 10_000;

describe.each([
  ['back', -HOUR_MS],
  ['forward', HOUR_MS / 2],
])('wall clock set %s', (direction, byMs) => {
  let stage: Stage;
  let visitor: Visitor;

  beforeEach(async () => {
    stage = await openStage({ hibernateMs: HIBERNATE_MS });
    visitor = stage.connect();
    visitor.say({ type: 'hello', after: 0 });
    await stage.settle();
  });
  afterEach(async () => {
    await stage.close();
  });

  const told = (): string =>
    visitor.frames.flatMap((frame) => (frame.type === 'delta' ? [frame.text] : [])).join('');

  it(`running text is stored at the same interval when the wall clock is set ${direction}`, async () => {
    visitor.say({ type: 'message', id: 'm', content: 'Good morning' });
    await stage.settle();
    const run = stage.generator.running;
    run?.say({ text: 'Good ' });
    await stage.settle();
    expect(told()).toBe('Good ');

    stage.clock.set(byMs);
    run?.say({ text: 'morning' });
    await stage.advance(FLUSH_MS - 1);
    expect(told()).toBe('Good ');
    await stage.advance(1);
    expect(told()).toBe('Good morning');
  });

  it(`an owner renews its lease in time when the wall clock is set ${direction}`, async () => {
    visitor.say({ type: 'message', id: 'm', content: 'Good morning' });
    await stage.settle();
    const renewals = () => stage.calls.filter((call) => call === 'renew').length;
    stage.clock.set(byMs);
    for (let lease = 1; lease <= 3; lease += 1) {
      await stage.advance(LEASE_MS);
      expect(renewals()).toBeGreaterThanOrEqual(2 * lease);
      expect(renewals()).toBeLessThanOrEqual(3 * lease);
    }
    stage.generator.running?.say({ text: 'still mine' });
    await stage.settle();
    expect(told()).toBe('still mine');
  });

  it(`a quiet session hibernates on time when the wall clock is set ${direction}`, async () => {
    const released = () => stage.calls.includes('release');
    stage.clock.set(byMs);
    await stage.advance(HIBERNATE_MS / 2);
    expect(released()).toBe(false);
    await stage.advance(HIBERNATE_MS);
    expect(released()).toBe(true);
  });

  it(`an owner gives up a write without an answer when its lease ends and the wall clock is set ${direction}`, async () => {
    const clock = new VirtualClock(HOUR_MS);
    let attempts = 0;
    let outcome: unknown = null;
    const renew = () => {
      attempts += 1;
      if (attempts === 2) clock.set(byMs);
      return Promise.reject(new Error('the store is away'));
    };
    const store = { renew } as unknown as Store;
    const writer = new SessionWriter(
      { instance: 'me', store, clock, leaseMs: LEASE_MS, openInboxEntry: expect.fail, storeFailed() {} },
      { fence: { sessionId: 's' }, claimedMs: clock.monotonicMs() } as ClaimedSession,
      () => false,
    );
    const write = writer.renew().then((known) => {
      outcome = known;
    });
    const settle = async (): Promise<void> => void (await setImmediate());
    await settle();
    await clock.advanceTo(clock.now() + LEASE_MS / 2, settle);
    const before = clock.now();
    expect([attempts > 2, outcome]).toEqual([true, null]);
    await clock.advanceTo(before + LEASE_MS, settle);
    await write;
    expect(outcome).toEqual({ kind: 'lost' });
  });

  it.each([
    ['was away for longer than a lease', LEASE_MS + 1, 1],
    ['was away for less than a lease', LEASE_MS / 2, 0],
  ])(
    `an instance knows that it %s when the wall clock is set ${direction}`,
    async (_awayFor, awayMs, returns) => {
      const clock = new VirtualClock(HOUR_MS);
      let answer = (): Promise<readonly string[]> => Promise.resolve(['me']);
      const membership = new Membership(
        { heartbeat: () => answer() } as unknown as Store,
        clock,
        'me',
        LEASE_MS,
      );
      let returned = 0;
      membership.onReturn(() => {
        returned += 1;
      });
      const settle = async (): Promise<void> => void (await setImmediate());
      await membership.beat();
      answer = () => Promise.reject(new Error('cut off'));
      clock.set(byMs);
      await clock.advanceTo(clock.now() + awayMs - 1, settle);
      answer = () => Promise.resolve(['me']);
      await clock.advanceTo(clock.now() + LEASE_MS / 3, settle);
      expect(returned).toBe(returns);
    },
  );
});
