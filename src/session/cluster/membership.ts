/** Membership tracks the live instances. Each sends heartbeats to the store; after a lease without one it counts as dead. */
import type { Clock } from '../../clock.ts';
import type { Store } from '../../store/contract.ts';

export class Membership {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #instance: string;
  readonly #leaseMs: number;
  #living: readonly string[] = [];
  #stopBeat: (() => void) | null = null;
  #hasLeft = false;
  /** Monotonic time at which the last successful heartbeat was sent. */
  #beatMs: number | null = null;
  #onReturn: () => void = () => {};

  constructor(store: Store, clock: Clock, instance: string, leaseMs: number) {
    this.#store = store;
    this.#clock = clock;
    this.#instance = instance;
    this.#leaseMs = leaseMs;
  }

  /** Living instances, in the same order on every instance. Empty until the store has answered once. */
  get living(): readonly string[] {
    return this.#living;
  }

  /** True unless the instance is known to be dead. An instance that is not on the list may be new, so this asks the store. */
  async mayLive(instance: string): Promise<boolean> {
    if (!this.#living.includes(instance)) await this.#heartbeat();
    return this.#living.length === 0 || this.#living.includes(instance);
  }

  /** Runs `listener` when other instances may have taken this one for dead, and detached its sockets. */
  onReturn(listener: () => void): void {
    this.#onReturn = listener;
  }

  async beat(): Promise<void> {
    if (this.#hasLeft) return;
    await this.#heartbeat();
    if (!this.#hasLeft) this.#stopBeat = this.#clock.after(this.#leaseMs / 3, () => void this.beat());
  }

  async leave(): Promise<void> {
    this.#hasLeft = true;
    this.#stopBeat?.();
    await this.#store.deregister(this.#instance).catch(() => {});
  }

  async #heartbeat(): Promise<void> {
    // A heartbeat after deregistering would bring this instance back to life.
    if (this.#hasLeft) return;
    const sentMs = this.#clock.monotonicMs();
    try {
      this.#living = [...(await this.#store.heartbeat(this.#instance, this.#leaseMs))].sort();
      const wasAbsent = this.#beatMs !== null && this.#clock.monotonicMs() - this.#beatMs > this.#leaseMs;
      this.#beatMs = sentMs;
      if (wasAbsent) this.#onReturn();
    } catch {
      // While the store is unreachable, this instance declares no other dead.
      this.#living = [];
    }
  }
}
