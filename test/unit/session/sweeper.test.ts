/** The sweeper decides when to look at each bucket, on a virtual clock. The store decides what it finds. */
import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { Membership } from '../../../src/session/cluster/membership.ts';
import { Sweeper } from '../../../src/session/cluster/sweeper.ts';
import { BUCKETS, type Store, type Swept } from '../../../src/store/contract.ts';
import { openMetrics } from '../../../src/telemetry/metrics.ts';
import { VirtualClock } from '../../support/actor/virtual-clock.ts';

const START = 1_800_000_000_000;
const LEASE_MS = 3_000;
const POLL_MS = 1_000;

function sweeperOn(answer: (bucket: number, now: number) => Swept) {
  const clock = new VirtualClock(START);
  const looks: { readonly bucket: number; readonly at: number }[] = [];
  const woken: string[] = [];
  const store = {
    heartbeat: async () => ['me'],
    sweep: async (bucket: number, now: number) => {
      looks.push({ bucket, at: now - START });
      return answer(bucket, now);
    },
  } as unknown as Store;
  const sweeper = new Sweeper({
    instance: 'me',
    store,
    clock,
    log: pino({ level: 'silent' }),
    metrics: openMetrics('me'),
    membership: new Membership(store, clock, 'me', LEASE_MS),
    leaseMs: LEASE_MS,
    pollMs: POLL_MS,
    wake: async (sessionId) => void woken.push(sessionId),
  });
  const pass = (ms: number) => clock.advanceTo(clock.now() + ms, async () => void (await setImmediate()));
  return { sweeper, looks, woken, pass };
}

describe('sweeper', () => {
  it('the sweeper looks at every bucket once per poll while nothing is due, all in one round', async () => {
    const { sweeper, looks, pass } = sweeperOn(() => ({ due: [], nextAt: null, lost: [] }));
    sweeper.start();
    await setImmediate();
    await pass(3 * POLL_MS);
    expect(looks).toHaveLength(4 * BUCKETS);
    expect(new Set(looks.map(({ at }) => at))).toEqual(new Set([0, POLL_MS, 2 * POLL_MS, 3 * POLL_MS]));
    await sweeper.stop();
  });

  it('the sweeper looks again at the time that a bucket named, and wakes the sessions that are due', async () => {
    const dueAt = START + 1_234;
    const { sweeper, looks, woken, pass } = sweeperOn((bucket, now) => {
      if (bucket !== 7) return { due: [], nextAt: null, lost: [] };
      return now < dueAt ? { due: [], nextAt: dueAt, lost: [] } : { due: ['s'], nextAt: null, lost: [] };
    });
    sweeper.start();
    await setImmediate();
    await pass(1_300);
    expect(looks.filter(({ bucket }) => bucket === 7).map(({ at }) => at)).toEqual([0, POLL_MS, 1_234]);
    expect(woken).toEqual(['s']);
    await sweeper.stop();
  });

  it('the sweeper pauses between rounds however many sessions are due, and continues until none is', async () => {
    let left = 10;
    const { sweeper, looks, woken, pass } = sweeperOn((bucket, now) => {
      if (bucket !== 7 || left === 0) return { due: [], nextAt: null, lost: [] };
      left -= 1;
      return { due: [`s${left}`], nextAt: now, lost: [] };
    });
    sweeper.start();
    await setImmediate();
    await pass(POLL_MS - 1);
    expect(woken).toHaveLength(10);
    const times = looks.filter(({ bucket }) => bucket === 7).map(({ at }) => at);
    for (const [index, at] of times.slice(1).entries()) expect(at - times[index]!).toBeGreaterThanOrEqual(25);
    await sweeper.stop();
  });

  it('the sweeper continues after a failed call to the store', async () => {
    let down = true;
    const { sweeper, looks, pass } = sweeperOn(() => {
      if (down) throw new Error('away');
      return { due: [], nextAt: null, lost: [] };
    });
    sweeper.start();
    await setImmediate();
    await pass(POLL_MS);
    down = false;
    await pass(POLL_MS);
    expect(looks).toHaveLength(3 * BUCKETS);
    await sweeper.stop();
  });
});
