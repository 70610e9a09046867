/**
 * Hints, signals and heartbeats of one process: what pub/sub is for Redis, for all handles opened on one database.
 * Nothing here is stored. Listeners are called in a turn of their own, so that one that throws cannot break the
 * transaction that woke it.
 */
import type { Hint } from '../contract.ts';

export interface Subscriber {
  readonly watched: Set<string>;
  readonly hintListeners: ((hint: Hint) => void)[];
  readonly signalListeners: Map<string, ((message: string) => void)[]>;
}

export interface Hints {
  attach(): Subscriber;
  detach(ear: Subscriber): void;
  emit(hint: Hint): void;
  signal(instance: string, message: string): void;
  beat(instance: string, until: number, now: number): readonly string[];
  deregister(instance: string): void;
}

export function createHints(): Hints {
  const ears = new Set<Subscriber>();
  const alive = new Map<string, number>();

  return {
    attach(): Subscriber {
      const ear: Subscriber = { watched: new Set(), hintListeners: [], signalListeners: new Map() };
      ears.add(ear);
      return ear;
    },
    detach(ear: Subscriber): void {
      ears.delete(ear);
    },
    emit(hint: Hint): void {
      for (const ear of ears) {
        if (!ear.watched.has(hint.sessionId)) continue;
        for (const listener of ear.hintListeners) queueMicrotask(() => listener(hint));
      }
    },
    signal(instance: string, message: string): void {
      for (const ear of ears) {
        for (const listener of ear.signalListeners.get(instance) ?? [])
          queueMicrotask(() => listener(message));
      }
    },
    beat(instance: string, until: number, now: number): readonly string[] {
      alive.set(instance, until);
      for (const [name, deadline] of alive) if (deadline <= now) alive.delete(name);
      return [...alive.keys()].sort();
    },
    deregister(instance: string): void {
      alive.delete(instance);
    },
  };
}
