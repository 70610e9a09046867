/**
 * Somebody sets the wall clock, or a time service does. Dates follow it; what lasts must not: between two of its
 * readings an hour may pass in no time, or none in an hour.
 */
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeUntilKnown } from '../../../src/session/actor/write.ts';
import { Membership } from '../../../src/session/cluster/membership.ts';
import type { Store } from '../../../src/store/contract.ts';
import { LEASE_MS, openStage, type Stage, type Visitor } from '../../support/stage.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const HOUR_MS = 3_600_000;
const FLUSH_MS = 25;
const HIBERNATE_MS = 10_000;

describe.each([
  ['back', -HOUR_MS],
  ['forward', HOUR_MS / 2],
])('where the wall clock is set %s', (_, byMs) => {
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

  it('the text of a running turn is stored as often as ever, and no oftener', async () => {
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

  it('an owner goes on to renew its lease before it is over', async () => {
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

  it('a quiet session is put to sleep when it was quiet for so long', async () => {
    const released = () => stage.calls.includes('release');
    stage.clock.set(byMs);
    await stage.advance(HIBERNATE_MS / 2);
    expect(released()).toBe(false);
    await stage.advance(HIBERNATE_MS);
    expect(released()).toBe(true);
  });

  it('a write whose answer does not come is given up when the lease is over', async () => {
    const clock = new VirtualClock(HOUR_MS);
    let attempts = 0;
    let outcome: unknown = null;
    const write = writeUntilKnown(
      () => {
        attempts += 1;
        if (attempts === 2) clock.set(byMs);
        return Promise.reject(new Error('the store is away'));
      },
      { clock, giveUpMs: LEASE_MS, stopped: () => false, failed() {} },
    ).then((known) => {
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
    ['was not', LEASE_MS / 2, 0],
  ])('an instance knows that it %s', async (_awayFor, awayMs, returns) => {
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
  });
});
