/** A session waits for its archive, on a virtual clock. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { SessionContext } from '../../../machines/vocabulary.ts';
import type { Archive, ArchivedSession } from '../../../src/archive/archive.ts';
import { Archiver, type EndedSession } from '../../../src/session/actor/archiver.ts';
import type { Store } from '../../../src/store/contract.ts';
import { VirtualClock } from '../../support/actor/virtual-clock.ts';

const START = 1_800_000_000_000;
const WITHIN_MS = 3_000;

const ending: EndedSession = {
  sessionId: 's',
  context: { createdAt: START, turnCount: 1, patient: {}, endReason: 'idle' } as SessionContext,
  transcript: [],
  frames: [],
  endedAt: START,
  history: null,
};

function archivingInto() {
  const clock = new VirtualClock(START);
  const lease = { isValid: true };
  const asked: { readonly session: ArchivedSession; answer(): void; fail(error: Error): void }[] = [];
  const store: Archive['store'] = (session) =>
    new Promise((resolve, reject) => {
      asked.push({ session, answer: resolve, fail: reject });
    });
  const archiving = new Archiver({
    archive: { store } as Pick<Archive, 'store'> as Archive,
    store: { readLog: async () => null } as Partial<Store> as Store,
    clock,
    withinMs: WITHIN_MS,
    isLeaseValid: () => lease.isValid,
  });
  const attempt = (version: string) =>
    archiving.store(version, ending).then(
      () => 'stored',
      (error: Error) => error.message,
    );
  const begin = async (version: string) => {
    const outcome = attempt(version);
    await setImmediate();
    return { outcome };
  };
  const pass = (ms: number) => clock.advanceTo(clock.now() + ms, async () => void (await setImmediate()));
  return { archiving, asked, attempt, begin, pass, lease };
}

describe('archiving', () => {
  it('a session counts as archived once the archive confirms it', async () => {
    const { archiving, asked, begin } = archivingInto();
    const { outcome } = await begin('1');
    expect(archiving.isUnderWay).toBe(true);
    asked[0]?.answer();
    expect(await outcome).toBe('stored');
    expect(archiving.isUnderWay).toBe(false);
    expect(asked).toMatchObject([{ session: { sessionId: 's', endReason: 'idle' } }]);
  });

  it('a session waits a bounded time for a silent archive, and starts no second attempt beside the first', async () => {
    const { archiving, asked, attempt, begin, pass } = archivingInto();
    const { outcome } = await begin('1');
    await pass(WITHIN_MS);
    expect(await outcome).toContain('no answer within');
    expect(archiving.isUnderWay).toBe(true);
    expect(await attempt('1')).toContain('has not answered');
    expect(await attempt('2')).toContain('has not answered');
    expect(asked).toHaveLength(1);
  });

  it('a session whose archive answered late is not archived twice, unless it has changed since', async () => {
    const { asked, attempt, begin, pass } = archivingInto();
    const { outcome } = await begin('1');
    await pass(WITHIN_MS);
    await outcome;
    asked[0]?.answer();
    await setImmediate();
    expect(await attempt('1')).toBe('stored');
    expect(asked).toHaveLength(1);
    const { outcome: newer } = await begin('2');
    asked[1]?.answer();
    expect(await newer).toBe('stored');
  });

  it('an owner whose lease is over does not archive its session, because another instance may own it', async () => {
    const { asked, attempt, begin, lease } = archivingInto();
    const outcome = attempt('1');
    lease.isValid = false;
    expect(await outcome).toContain('another instance may have the session');
    expect(asked).toEqual([]);
    lease.isValid = true;
    const { outcome: again } = await begin('1');
    asked[0]?.answer();
    expect(await again).toBe('stored');
  });

  it('archiving is attempted again after a failure, in time or late', async () => {
    const { asked, begin, pass } = archivingInto();
    const first = await begin('1');
    asked[0]?.fail(new Error('refused'));
    expect(await first.outcome).toBe('refused');
    const second = await begin('1');
    await pass(WITHIN_MS);
    expect(await second.outcome).toContain('no answer within');
    asked[1]?.fail(new Error('refused late'));
    await setImmediate();
    const third = await begin('1');
    asked[2]?.answer();
    expect(await third.outcome).toBe('stored');
  });
});
