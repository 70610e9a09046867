/** What instances say to each other about sessions, and who here waits for an answer. */

import type { Clock } from '../../clock.ts';
import type { Store } from '../../store/contract.ts';
import { type InstanceMessage, parseInstanceMessage } from './signals.ts';

/** A live owner answers at once; a dead one never does, and waiting longer than this helps nobody. */
const RELEASE_WAIT_MS = 400;

export class InstanceMessages {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #instance: string;
  readonly #awaitingRelease = new Map<string, Set<(released: boolean) => void>>();

  constructor(store: Store, clock: Clock, instance: string) {
    this.#store = store;
    this.#clock = clock;
    this.#instance = instance;
  }

  /** Answers to questions of ours are taken here; all else goes to `listener`. */
  start(listener: (signal: InstanceMessage) => void): Promise<void> {
    return this.#store.onSignal(this.#instance, (message) => {
      const signal = parseInstanceMessage(message);
      if (signal === null) return;
      if (signal.kind !== 'released' && signal.kind !== 'kept') return listener(signal);
      const waiting = this.#awaitingRelease.get(signal.sessionId);
      for (const answer of [...(waiting ?? [])]) answer(signal.kind === 'released');
    });
  }

  send(instance: string, signal: InstanceMessage): Promise<void> {
    return this.#store.signal(instance, JSON.stringify(signal));
  }

  /** Best effort: whoever is not reached finds out from the store. */
  tell(instance: string, signal: InstanceMessage): void {
    this.send(instance, signal).catch(() => {});
  }

  /** Asks a session's owner to let it go; true where it did. */
  askRelease(sessionId: string, owner: string): Promise<boolean> {
    const waiting = this.#awaitingRelease.get(sessionId) ?? new Set();
    this.#awaitingRelease.set(sessionId, waiting);
    return new Promise((resolve) => {
      const answer = (released: boolean) => {
        cancel();
        waiting.delete(answer);
        if (waiting.size === 0) this.#awaitingRelease.delete(sessionId);
        resolve(released);
      };
      const cancel = this.#clock.after(RELEASE_WAIT_MS, () => answer(false));
      waiting.add(answer);
      this.send(owner, { kind: 'release', sessionId, from: this.#instance }).catch(() => answer(false));
    });
  }
}
