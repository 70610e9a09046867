/**
 * One owner's hold on a session: the fence that every write names, and how long the lease behind it can be counted on.
 *
 *  H1  A write is sent under the same id until its outcome is known, or the lease in which it was begun is over.
 *  H2  The lease counts from when a write that was answered was sent: when it arrived is not known.
 *  H3  While `isSure`, nobody else can have taken the session. After that somebody may: only the store can tell.
 */

import type { Clock } from '../../clock.ts';
import type { Fence } from '../../store/contract.ts';
import { writeUntilKnown } from './write.ts';

export interface LeasePorts {
  readonly clock: Clock;
  readonly leaseMs: number;
  readonly stopped: () => boolean;
  readonly failed: (error: unknown) => void;
}

export class Lease {
  readonly fence: Fence;
  readonly #ports: LeasePorts;
  #sinceMs: number;
  #writes = 0;

  /** `sinceMs`: by the monotonic clock, when the claim was sent. */
  constructor(fence: Fence, sinceMs: number, ports: LeasePorts) {
    this.fence = fence;
    this.#sinceMs = sinceMs;
    this.#ports = ports;
  }

  get isSure(): boolean {
    return this.#ageMs < this.#ports.leaseMs;
  }

  /** Time to write something, or to renew the lease. */
  get isAging(): boolean {
    return this.#ageMs >= this.#ports.leaseMs / 3;
  }

  nextWriteId(): string {
    this.#writes += 1;
    return `${this.fence.token}.${this.#writes}`;
  }

  async write<T>(attempt: () => Promise<T>): Promise<T | { readonly kind: 'lost' }> {
    const { clock, leaseMs, stopped, failed } = this.#ports;
    let sentMs = this.#sinceMs;
    const send = () => {
      sentMs = clock.monotonicMs();
      return attempt();
    };
    const outcome = await writeUntilKnown(send, { clock, giveUpMs: leaseMs, stopped, failed });
    this.#sinceMs = sentMs;
    return outcome;
  }

  get #ageMs(): number {
    return this.#ports.clock.monotonicMs() - this.#sinceMs;
  }
}
