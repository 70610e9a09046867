/**
 * RunningAnswers counts the answers that run on this instance, by user and by tenant. Each session has one seat, and holds
 * it while an answer of the session runs.
 *
 *  SEAT-1  A seat counts for at most one payer at a time, and for none once it is left.
 *  SEAT-2  A session takes its seat before it stores the message, so that simultaneous messages cannot exceed the bound.
 *  SEAT-3  Only a message that starts an answer may be refused. An answer from the queue always runs: the session
 *          accepted its message.
 */

import { userKey } from './limits.ts';
import type { Payer } from './payer.ts';

export interface TurnsMax {
  /** 0: no bound. */
  readonly perUser: number;
  readonly perTenant: number;
}

export interface Seat {
  /** False, and nothing changes, if `payer` has as many answers as it may. A seat that is held stays as it is. */
  take(payer: Payer): boolean;
  /** The running answer is `payer`'s, however many there are. */
  assign(payer: Payer): void;
  leave(): void;
}

export class RunningAnswers {
  readonly #max: TurnsMax;
  readonly #byUser = new Map<string, number>();
  readonly #byTenant = new Map<string, number>();

  constructor(max: TurnsMax) {
    this.#max = max;
  }

  seat(): Seat {
    let held: Payer | null = null;
    const hold = (payer: Payer | null): void => {
      if (held !== null) this.#count(held, -1);
      if (payer !== null) this.#count(payer, 1);
      held = payer;
    };
    return {
      take: (payer) => {
        if (held !== null) return true;
        if (!this.#hasRoom(payer)) return false;
        hold(payer);
        return true;
      },
      assign: hold,
      leave: () => hold(null),
    };
  }

  /** Number of keys that are counted; for tests of what a user leaves behind. */
  get size(): number {
    return this.#byUser.size + this.#byTenant.size;
  }

  #hasRoom({ userId, tenant }: Payer): boolean {
    const { perUser, perTenant } = this.#max;
    const isFull = (max: number, running = 0) => max > 0 && running >= max;
    if (isFull(perTenant, this.#byTenant.get(tenant))) return false;
    return userId === null || !isFull(perUser, this.#byUser.get(userKey(userId, tenant)));
  }

  #count({ userId, tenant }: Payer, by: 1 | -1): void {
    add(this.#byTenant, tenant, by);
    if (userId !== null) add(this.#byUser, userKey(userId, tenant), by);
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
