/** Two stores behind one keep the contract with any share of new sessions in the new store. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CodedError } from '../../src/errors.ts';
import { bucketOf, type Store, type StoreOptions } from '../../src/store/contract.ts';
import { isInShare, rolloutStore } from '../../src/store/rollout/rollout.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import {
  claimed,
  commitOf,
  created,
  expectCommitted,
  frames,
  freshId,
  OPTIONS,
  type StoreFixture,
} from './store-fixture.ts';
import { redisFixture } from './store-redis-fixture.ts';
import { sqliteFixture } from './store-sqlite-fixture.ts';
import { describeStore } from './store-suite.ts';

async function composed(
  percent: number,
  open: () => Promise<StoreFixture>,
): Promise<StoreFixture & { readonly pair: readonly [StoreFixture, StoreFixture] }> {
  const [old, newer] = [await open(), await open()];
  const at = (n: 0 | 1 | 2) => rolloutStore({ old: old.stores[n], new: newer.stores[n], percent });
  return {
    pair: [old, newer],
    stores: [at(0), at(1), at(2)],
    sweepsInOrder: false,
    now: old.now,
    async elapse(ms) {
      await Promise.all([old.elapse(ms), newer.elapse(ms)]);
    },
    async traces(sessionId) {
      const name = (place: string, traces: ReadonlyMap<string, number | null>) =>
        [...traces].map(([trace, staysMs]) => [`${place} ${trace}`, staysMs] as const);
      return new Map([
        ...name('old', await old.traces(sessionId)),
        ...name('new', await newer.traces(sessionId)),
      ]);
    },
    async stop() {
      await old.stop();
      await newer.stop();
    },
  };
}

const embedded = (options: StoreOptions) => () => sqliteFixture(options, `:memory:${freshId()}`, () => {});

for (const percent of [0, 30, 100]) {
  describeStore(`a rollout at ${percent} %`, (options) => composed(percent, embedded(options)));
}

describe('on two Redis servers', () => {
  const servers: RedisServer[] = [];
  beforeAll(async () => {
    servers.push(await startRedis(), await startRedis());
  }, 60_000);
  afterAll(async () => {
    for (const server of servers) await server.stop();
  });
  describeStore('a rollout at 30 %', (options) => {
    const left = [...servers];
    return composed(30, async () => {
      const server = left.shift()!;
      return redisFixture(options, server.url, [server.port]);
    });
  });
});

function idIn(percent: number, inShare: boolean): string {
  let id = freshId();
  while (isInShare(id, percent) !== inShare) id = freshId();
  return id;
}

describe('a rollout', () => {
  let fixture: Awaited<ReturnType<typeof composed>>;
  let handle: (n: 0 | 1 | 2, percent: number) => Store;
  beforeAll(async () => {
    fixture = await composed(0, embedded(OPTIONS));
    const [old, newer] = fixture.pair;
    handle = (n, percent) => rolloutStore({ old: old.stores[n], new: newer.stores[n], percent });
  });
  afterAll(() => fixture.stop());

  const make = async (store: Store, sessionId: string, instance = 'a') => {
    const { fence, record } = await claimed(store, sessionId, instance);
    expect(record).toBeNull();
    expectCommitted(await store.commit(fence, commitOf({ frames: frames(0, 1) })));
    return fence;
  };
  const places = async (sessionId: string) => {
    const [old, newer] = fixture.pair;
    return {
      old: (await old.stores[0].read(sessionId)) !== null,
      new: (await newer.stores[0].read(sessionId)) !== null,
    };
  };

  it('a rollout creates about its share of new sessions in the new store', async () => {
    const ids = Array.from({ length: 20_000 }, () => freshId());
    const share = ids.filter((id) => isInShare(id, 30)).length / ids.length;
    expect(share).toBeGreaterThan(0.27);
    expect(share).toBeLessThan(0.33);
    expect(ids.some((id) => isInShare(id, 0))).toBe(false);
    expect(ids.every((id) => isInShare(id, 100))).toBe(true);
    const [inside, outside] = [idIn(30, true), idIn(30, false)];
    await make(handle(0, 30), inside);
    await make(handle(0, 30), outside);
    expect(await places(inside)).toEqual({ old: false, new: true });
    expect(await places(outside)).toEqual({ old: true, new: false });
  });

  it('every session stays in its store when the share of a rollout falls to 0 and rises to 100', async () => {
    const ids = [idIn(30, true), idIn(30, false)] as const;
    for (const id of ids) {
      const store = handle(0, 30);
      expect(await store.release(await make(store, id), false)).toEqual({ kind: 'released' });
    }
    for (const percent of [0, 100, 30]) {
      for (const id of ids) {
        const before = await places(id);
        const store = handle(1, percent);
        const { fence, record } = await claimed(store, id, 'b');
        expect(record).not.toBeNull();
        const { version = 0, head = 0 } = record ?? {};
        const write = commitOf({ expectedVersion: version, expectedHead: head, frames: frames(head, 1) });
        expectCommitted(await store.commit(fence, write));
        await store.release(fence, false);
        expect(await places(id)).toEqual(before);
      }
    }
  });

  it('two instances with different shares create a session in one store only', async () => {
    for (let round = 0; round < 40; round += 1) {
      const id = freshId();
      const stores = [handle(0, 0), handle(1, 100), handle(2, 50)];
      const made = await Promise.all(
        stores.map(async (store, n) => {
          const outcome = await store.claim(id, `i${n}`);
          if (outcome.kind === 'held') return false;
          return (await store.commit(outcome.fence, commitOf())).kind === 'committed';
        }),
      );
      expect(made.filter(Boolean)).toHaveLength(1);
      const { old, new: newer } = await places(id);
      expect(old !== newer).toBe(true);
    }
  });

  it('a rollout withdraws a late first commit if another instance created the session meanwhile', async () => {
    const id = freshId();
    const slow = await claimed(handle(0, 100), id, 'slow');
    await fixture.elapse(OPTIONS.leaseMs + 50);
    const quick = handle(1, 0);
    const mine = await make(quick, id, 'quick');
    expect(await handle(0, 100).commit(slow.fence, commitOf())).toEqual({ kind: 'fenced' });
    expect(await places(id)).toEqual({ old: true, new: false });
    expectCommitted(await quick.commit(mine, commitOf({ expectedVersion: 1, expectedHead: 1 })));
  });

  it('a rollout creates the successor of an ended session in either store', async () => {
    const id = idIn(50, true);
    const store = handle(0, 50);
    const fence = await make(store, id);
    expectCommitted(await store.commit(fence, commitOf({ expectedVersion: 1, expectedHead: 1, end: true })));
    expect(await places(id)).toEqual({ old: false, new: false });
    const other = handle(1, 0);
    await other.release(await make(other, id, 'b'), false);
    expect(await places(id)).toEqual({ old: true, new: false });
    // The first handle remembers the new store, but only as a hint.
    expect(await store.read(id)).toMatchObject({ version: 1 });
    expect((await claimed(store, id, 'a')).record).toMatchObject({ version: 1 });
  });

  it('a rollout goes on with one store while the other is away', async () => {
    const down = new Proxy({} as Store, {
      get: () => () => Promise.reject(new CodedError('STORE_UNAVAILABLE', 'away')),
    });
    const [, newer] = fixture.pair;
    const store = rolloutStore({ old: down, new: newer.stores[0], percent: 100 });
    const { sessionId, fence } = await created(newer.stores[0], 'a', { dueAt: 1 });
    await newer.stores[0].release(fence, false);
    expect(await store.heartbeat('me', 1_000)).toContain('me');
    expect((await store.sweep(bucketOf(sessionId), 10, 10, 1)).due).toContain(sessionId);
    await expect(store.claim(freshId(), 'a')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });
});
