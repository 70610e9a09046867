/**
 * UserQuota bounds the live sessions of one user over all instances (docs/adr/0011).
 *
 *  QUOTA-1  The quota applies only to the creation of a session for a named user; existing sessions always resume.
 *  QUOTA-2  Sessions that this instance is creating count as stored, so that parallel requests cannot exceed the bound.
 *           Sessions that other instances are creating do not count: together, instances may exceed the bound by those.
 *  QUOTA-3  A user below the bound is never refused. A session that was just stored may count twice, once in the store
 *           and once as under way. If that would refuse the user, the quota waits for those ahead and counts again.
 */
import type { Store } from '../../store/contract.ts';

export class UserQuota {
  readonly #store: Store;
  readonly #max: number;
  /** By user, oldest first: each settles once its session is stored, or is known not to be. */
  readonly #underWay = new Map<string, Set<Promise<void>>>();

  /** `max` 0: no bound. */
  constructor(store: Store, max: number) {
    this.#store = store;
    this.#max = max;
  }

  /** Creates the session if its user may have one more, else resolves with null. Rejects when the store does. */
  within<T>(userId: string | null, create: () => Promise<T>): Promise<T | null> {
    return userId === null || this.#max === 0 ? create() : this.#countedWithin(userId, create);
  }

  async #countedWithin<T>(userId: string, create: () => Promise<T>): Promise<T | null> {
    const underWay = this.#underWay.get(userId) ?? new Set();
    this.#underWay.set(userId, underWay);
    const before = [...underWay];
    let settle = () => {};
    const mine = new Promise<void>((resolve) => {
      settle = resolve;
    });
    underWay.add(mine);
    try {
      return (await this.#hasRoom(userId, before)) ? await create() : null;
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
