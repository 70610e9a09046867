/**
 * How many sessions one user may have, over all instances (docs/adr/0011).
 *
 *  Q1  Asked only where a session is about to be made for a named user: what exists is resumed whatever the count.
 *  Q2  What is being made here counts as if it were there, so that many at once on one instance are no way around it.
 *      Other instances' are not seen before they are stored: together they may be too many by what was under way.
 *  Q3  Nobody is refused where there is room. What was just stored may be counted twice, once by the store and once as
 *      being made; where that decides, those ahead are waited for and the store is asked again.
 */
import type { Store } from '../../store/contract.ts';

export class UserQuota {
  readonly #store: Store;
  readonly #max: number;
  /** By user, in the order in which they came: each settles once its session is stored, or is known not to be. */
  readonly #underWay = new Map<string, Set<Promise<void>>>();

  /** 0: without bound. */
  constructor(store: Store, max: number) {
    this.#store = store;
    this.#max = max;
  }

  /** Makes the session if its user may have one more, else answers null. Rejects where the store does not say. */
  async within<T>(userId: string | null, make: () => Promise<T>): Promise<T | null> {
    if (userId === null || this.#max === 0) return make();
    const underWay = this.#underWay.get(userId) ?? new Set();
    this.#underWay.set(userId, underWay);
    const before = [...underWay];
    let settle = () => {};
    const mine = new Promise<void>((resolve) => {
      settle = resolve;
    });
    underWay.add(mine);
    try {
      return (await this.#hasRoom(userId, before)) ? await make() : null;
    } finally {
      settle();
      underWay.delete(mine);
      if (underWay.size === 0) this.#underWay.delete(userId);
    }
  }

  async #hasRoom(userId: string, before: readonly Promise<void>[]): Promise<boolean> {
    const living = await this.#store.countOfUser(userId, this.#max);
    if (living >= this.#max) return false;
    if (living + before.length < this.#max) return true;
    await Promise.all(before);
    return (await this.#store.countOfUser(userId, this.#max)) < this.#max;
  }
}
