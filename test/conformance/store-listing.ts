/** Listings and counts have every live session once, during any commits. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Fence, ListQuery, SessionIndex, Store } from '../../src/store/contract.ts';
import { countsOf, indexState, indexStates, indexUser } from '../../src/store/tenant-index.ts';
import { claimed, commitOf, created, expectCommitted, freshId, type StoreFixture } from './store-fixture.ts';

type Filter = Omit<ListQuery, 'cursor' | 'limit'>;

async function pagesOf(store: Store, query: Filter, limit: number): Promise<readonly (readonly string[])[]> {
  const pages: (readonly string[])[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await store.list({ ...query, limit, ...(cursor === undefined ? {} : { cursor }) });
    pages.push(page.sessionIds);
    if (page.cursor === null) return pages;
    cursor = page.cursor;
  }
}

const allOf = async (store: Store, query: Filter, limit = 100) => (await pagesOf(store, query, limit)).flat();

const at = (state: string, userId: string | null = null, createdAt = 1_700_000_000_000): SessionIndex => ({
  state,
  userId,
  createdAt,
});

export function describeListing(fixture: () => StoreFixture): void {
  describe('a listing', () => {
    it('a listing has every session once, in pages of any size, by state, by user and by both', async () => {
      const [a, b] = fixture().stores;
      const [mine, other] = [freshId('user ä'), freshId('user')];
      const state = freshId('state');
      const made = await Promise.all(
        Array.from({ length: 60 }, (_, n) => {
          const userId = n % 3 === 0 ? mine : n % 3 === 1 ? other : null;
          const index = at(n % 2 === 0 ? state : `${state}-2`, userId, 1_700_000_000_000 + (n % 7));
          return created(a, 'a', { index }).then(({ sessionId }) => ({ sessionId, ...index }));
        }),
      );
      const ids = (keep: (one: (typeof made)[number]) => boolean) =>
        made
          .filter(keep)
          .map(({ sessionId }) => sessionId)
          .sort();
      for (const limit of [1, 7, 60, 100]) {
        expect((await allOf(b, { userId: mine }, limit)).toSorted()).toEqual(
          ids(({ userId }) => userId === mine),
        );
        expect((await allOf(b, { states: [state] }, limit)).toSorted()).toEqual(
          ids((one) => one.state === state),
        );
        expect((await allOf(b, { states: [state], userId: other }, limit)).toSorted()).toEqual(
          ids((one) => one.state === state && one.userId === other),
        );
      }
      const everything = await allOf(b, {}, 50);
      expect(new Set(everything).size).toBe(everything.length);
      expect(everything).toEqual(expect.arrayContaining(ids(() => true)));
      expect(await allOf(b, { userId: 'nobody' })).toEqual([]);
      expect(await allOf(b, { states: ['nowhere'] })).toEqual([]);
    });

    it('a listing by several states has their sessions in one order, on pages of any size, with and without a user', async () => {
      const [a, b] = fixture().stores;
      const mine = freshId('user');
      const [first, second, third] = [freshId('one'), freshId('two'), freshId('three')];
      const made = await Promise.all(
        Array.from({ length: 36 }, (_, n) => {
          const state = [first, second, third][n % 3] ?? third;
          const index = at(state, n % 2 === 0 ? mine : null, 1_700_000_000_000 + (n % 5));
          return created(a, 'a', { index }).then(({ sessionId }) => ({ sessionId, ...index }));
        }),
      );
      const states = [second, first];
      for (const userId of [undefined, mine]) {
        const wanted = made.filter(
          (one) => one.state !== third && (userId === undefined || one.userId === userId),
        );
        const query = { states, ...(userId === undefined ? {} : { userId }) };
        const whole = await allOf(b, query, 100);
        expect(whole.toSorted()).toEqual(wanted.map(({ sessionId }) => sessionId).sort());
        for (const limit of [1, 5, 24]) expect(await allOf(b, query, limit)).toEqual(whole);
      }
      expect(await allOf(b, { states: [] })).toEqual([]);
    });

    it('two tenants with the same user names list and count only their own sessions', async () => {
      const [a, b] = fixture().stores;
      const [one, other] = [freshId('one'), freshId('other')];
      const ann = freshId('ann');
      const begin = (tenant: string, state: string) =>
        created(a, 'a', { index: at(indexState(tenant, state), indexUser(tenant, ann)) });
      const [mine] = await Promise.all([begin(one, 'idle'), begin(other, 'idle'), begin(other, 'connected')]);
      const plain = await begin('', 'idle');
      const ids = [mine.sessionId, plain.sessionId];
      for (const [index, tenant] of [one, ''].entries()) {
        expect(await allOf(b, { userId: indexUser(tenant, ann) })).toEqual([ids[index]]);
        expect(await b.countOfUser(indexUser(tenant, ann), 10)).toBe(1);
      }
      expect(await allOf(b, { states: indexStates(one) })).toEqual([mine.sessionId]);
      expect(await allOf(b, { states: indexStates(''), userId: indexUser(other, ann) })).toEqual([]);
      expect(await allOf(b, { states: indexStates(other) })).toHaveLength(2);
      expect(countsOf(one, await b.countByState())).toEqual({ idle: 1 });
      expect(countsOf(other, await b.countByState())).toEqual({ idle: 1, connected: 1 });
    });

    it('every page of a listing but the last is full', async () => {
      const [a] = fixture().stores;
      const userId = freshId('user');
      for (let n = 0; n < 11; n += 1) await created(a, 'a', { index: at('idle', userId) });
      const sizes = (await pagesOf(a, { userId }, 4)).map((page) => page.length);
      expect(sizes).toEqual([4, 4, 3]);
    });

    it('a listing follows a session through states and users, and drops it at its end', async () => {
      const { stores, traces } = fixture();
      const [a, b] = stores;
      const [one, two] = [freshId('one'), freshId('two')];
      const { sessionId, fence } = await created(a, 'a', { index: at('connected', null) });
      const move = async (version: number, index: SessionIndex) =>
        expectCommitted(await a.commit(fence, commitOf({ expectedVersion: version, index })));
      await move(1, at('processing', one));
      expect(await allOf(b, { userId: one, states: ['processing'] })).toEqual([sessionId]);
      await move(2, at('connected', one));
      expect(await allOf(b, { userId: one, states: ['processing'] })).toEqual([]);
      expect(await allOf(b, { userId: one })).toEqual([sessionId]);
      await move(3, at('connected', two));
      expect(await allOf(b, { userId: one })).toEqual([]);
      expect(await allOf(b, { userId: two, states: ['connected'] })).toEqual([sessionId]);
      const before = await b.countByState();
      expectCommitted(await a.commit(fence, commitOf({ expectedVersion: 4, end: true })));
      expect(await allOf(b, { userId: two })).toEqual([]);
      expect(await allOf(b, {})).not.toContain(sessionId);
      expect((await b.countByState()).connected ?? 0).toBe((before.connected ?? 0) - 1);
      expect([...(await traces(sessionId)).keys()]).toEqual([]);
    });

    it('a listing hides a claimed session without a commit', async () => {
      const [a] = fixture().stores;
      const { fence } = await claimed(a, freshId(), 'a');
      expect(await allOf(a, {})).not.toContain(fence.sessionId);
      await a.release(fence, false);
    });

    it('the counts by state match the listing', async () => {
      const [a, b] = fixture().stores;
      const state = freshId('state');
      expect((await b.countByState())[state]).toBeUndefined();
      const ended = await created(a, 'a', { index: at(state) });
      await Promise.all(Array.from({ length: 9 }, () => created(a, 'a', { index: at(state) })));
      expect((await b.countByState())[state]).toBe(10);
      expectCommitted(await a.commit(ended.fence, commitOf({ expectedVersion: 1, end: true })));
      expect((await b.countByState())[state]).toBe(9);
      const counts = await b.countByState();
      expect(Object.values(counts).reduce((sum, n) => sum + n, 0)).toBe((await allOf(b, {}, 500)).length);
    });

    it('the count of a user’s sessions follows creation, change of user, move and end', async () => {
      const [a, b] = fixture().stores;
      const [one, two] = [freshId('one ä'), freshId('two')];
      const count = async (userId: string) => [
        await a.countOfUser(userId, 100),
        await b.countOfUser(userId, 100),
      ];
      expect(await count(one)).toEqual([0, 0]);
      const nobodys = await created(a, 'a', { index: at('connected', null) });
      const many = await Promise.all(
        Array.from({ length: 12 }, () => created(a, 'a', { index: at('connected', one) })),
      );
      expect(await count(one)).toEqual([12, 12]);
      expect(await count(two)).toEqual([0, 0]);
      // A claim alone does not count.
      const { fence } = await claimed(a, freshId(), 'a');
      expect(await count(one)).toEqual([12, 12]);
      await a.release(fence, false);
      const move = async ({ fence }: { readonly fence: Fence }, index: SessionIndex, end = false) =>
        expectCommitted(await a.commit(fence, commitOf({ expectedVersion: 1, index, end })));
      await move(many[0]!, at('idle', one));
      await move(many[1]!, at('idle', two));
      await move(nobodys, at('idle', two));
      await move(many[2]!, at('connected', one), true);
      expect([...(await count(one)), ...(await count(two))]).toEqual([10, 10, 2, 2]);
      expect((await allOf(b, { userId: one })).length).toBe(10);
    });

    it('the count of a user’s sessions is exact up to the requested number', async () => {
      const [a] = fixture().stores;
      const userId = freshId('user');
      await Promise.all(Array.from({ length: 8 }, () => created(a, 'a', { index: at('idle', userId) })));
      for (const upTo of [1, 3, 8]) expect(await a.countOfUser(userId, upTo)).toBeGreaterThanOrEqual(upTo);
      for (const upTo of [9, 1_000]) expect(await a.countOfUser(userId, upTo)).toBe(8);
    });

    it('a listing refuses a cursor that no listing wrote', async () => {
      const [a] = fixture().stores;
      for (const cursor of ['', 'x', 'bnVsbA', Buffer.from('[{},[]]').toString('base64url')]) {
        await expect(a.list({ cursor, limit: 5 })).rejects.toMatchObject({ code: 'STORE_CURSOR' });
      }
    });

    it('a listing has every session that existed throughout exactly once, despite commits between its pages', async () => {
      const { stores } = fixture();
      const [a, b] = stores;
      const step = fc.record({
        op: fc.constantFrom('create', 'end', 'restate', 'page', 'page'),
        pick: fc.nat({ max: 40 }),
      });
      const property = fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        async (steps, limit) => {
          const userId = freshId('user');
          const living: { readonly fence: Fence; readonly createdAt: number; version: number }[] = [];
          const create = async (n: number) => {
            const createdAt = 1_700_000_000_000 + (n % 3);
            const { fence } = await created(a, 'a', { index: at('idle', userId, createdAt) });
            living.push({ fence, createdAt, version: 1 });
          };
          for (let n = 0; n < 12; n += 1) await create(n);
          const stays = new Set(living.map(({ fence }) => fence.sessionId));
          const seen: string[] = [];
          let cursor: string | null | undefined;
          const turn = async () => {
            if (cursor === null) return;
            const page = await b.list({ userId, limit, ...(cursor === undefined ? {} : { cursor }) });
            seen.push(...page.sessionIds);
            cursor = page.cursor;
          };
          for (const { op, pick } of steps) {
            const one = living[pick % living.length]!;
            if (op === 'page') await turn();
            else if (op === 'create') await create(pick);
            else {
              const end = op === 'end' && living.length > 1;
              const index = at(pick % 2 === 0 ? 'connected' : 'idle', userId, one.createdAt);
              expectCommitted(
                await a.commit(one.fence, commitOf({ expectedVersion: one.version, index, end })),
              );
              one.version += 1;
              if (!end) continue;
              living.splice(living.indexOf(one), 1);
              stays.delete(one.fence.sessionId);
            }
          }
          while (cursor !== null) await turn();
          expect(new Set(seen).size).toBe(seen.length);
          expect(seen).toEqual(expect.arrayContaining([...stays]));
          expect((await allOf(a, { userId })).toSorted()).toEqual(
            living.map(({ fence }) => fence.sessionId).toSorted(),
          );
        },
      );
      await fc.assert(property, { numRuns: 25 });
    });
  });
}
