/** Which instances live. Each says so in the store; what is not heard of for a lease is taken for dead. */

import type { Clock } from '../../clock.ts';
import type { Store } from '../../store/contract.ts';

export class Membership {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #instance: string;
  readonly #leaseMs: number;
  #alive: readonly string[] = [];
  #stop: (() => void) | null = null;
  #stopped = false;
  /** When the last heartbeat that arrived was sent. */
  #heardMs: number | null = null;
  #onReturn: () => void = () => {};

  constructor(store: Store, clock: Clock, instance: string, leaseMs: number) {
    this.#store = store;
    this.#clock = clock;
    this.#instance = instance;
    this.#leaseMs = leaseMs;
  }

  /** In one order on every instance. Empty until the store has answered once. */
  get living(): readonly string[] {
    return this.#alive;
  }

  /** True unless it is known that the instance is gone. Who came since our last beat is not in our list: we ask. */
  async mayLive(instance: string): Promise<boolean> {
    if (!this.#alive.includes(instance)) await this.#look();
    return this.#alive.length === 0 || this.#alive.includes(instance);
  }

  /** Called when others may have taken us for dead meanwhile: sessions have crossed our sockets off their lists. */
  onReturn(listener: () => void): void {
    this.#onReturn = listener;
  }

  async beat(): Promise<void> {
    if (this.#stopped) return;
    await this.#look();
    if (!this.#stopped) this.#stop = this.#clock.after(this.#leaseMs / 3, () => void this.beat());
  }

  async leave(): Promise<void> {
    this.#stopped = true;
    this.#stop?.();
    await this.#store.deregister(this.#instance).catch(() => {});
  }

  async #look(): Promise<void> {
    // Asking is a heartbeat too: who has left must not come back to life by it.
    if (this.#stopped) return;
    const sentMs = this.#clock.monotonicMs();
    try {
      this.#alive = [...(await this.#store.heartbeat(this.#instance, this.#leaseMs))].sort();
      const wasAbsent = this.#heardMs !== null && this.#clock.monotonicMs() - this.#heardMs > this.#leaseMs;
      this.#heardMs = sentMs;
      if (wasAbsent) this.#onReturn();
    } catch {
      // The store is away: nobody can be declared dead by us until it is back.
      this.#alive = [];
    }
  }
}
