/** Tallies count over all instances, until they expire. */
import { describe, expect, it } from 'vitest';
import { freshId, type StoreFixture } from './store-fixture.ts';

export function describeTally(fixture: () => StoreFixture): void {
  const DAY_MS = 86_400_000;

  describe('a tally', () => {
    it('a tally adds up what every instance counts, and loses nothing of simultaneous additions', async () => {
      const { stores, now } = fixture();
      const [a, b, c] = stores;
      const name = freshId('tally');
      const until = now() + DAY_MS;
      expect(await a.tally(name, 1_000_000_007, until)).toBe(1_000_000_007);
      expect(await b.tally(name, 3, until)).toBe(1_000_000_010);
      const totals = await Promise.all(
        Array.from({ length: 60 }, (_, n) => (stores[n % 3] ?? a).tally(name, 1, until)),
      );
      expect(totals.toSorted((x, y) => x - y)).toEqual(
        Array.from({ length: 60 }, (_, n) => 1_000_000_011 + n),
      );
      expect(await c.tally(name, 0, until)).toBe(1_000_000_070);
    });

    it('a tally that counted nothing is 0, and reading it changes no tally', async () => {
      const { stores, now } = fixture();
      const [a, b] = stores;
      const [name, other] = [freshId('tally'), freshId('tally')];
      const until = now() + DAY_MS;
      expect(await a.tally(name, 0, until)).toBe(0);
      await a.tally(other, 5, until);
      expect(await b.tally(name, 0, until)).toBe(0);
      expect(await b.tally(other, 0, now() - 1)).toBe(5);
      expect(await a.tally(other, 0, until)).toBe(5);
    });

    it('a tally begins again at 0 once it has expired, and an addition moves its end', async () => {
      const { stores, now, elapse } = fixture();
      const [a, b] = stores;
      const [name, moved] = [freshId('tally'), freshId('tally')];
      await a.tally(name, 5, now() + 300);
      await a.tally(moved, 5, now() + 300);
      await b.tally(moved, 1, now() + DAY_MS);
      await elapse(350);
      expect(await b.tally(name, 0, now() + DAY_MS)).toBe(0);
      expect(await b.tally(name, 2, now() + DAY_MS)).toBe(2);
      expect(await a.tally(moved, 0, now() + DAY_MS)).toBe(6);
    });
  });
}
