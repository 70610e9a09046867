/**
 * Delivers hints and messages between all handles of one database, as pub/sub does for Redis, and keeps their heartbeats.
 * It stores nothing. Listeners run in a microtask, so an exception in one cannot break the transaction before it.
 */
import type { Hint, Store } from '../contract.ts';

export interface Subscriber extends Pick<Store, 'watch' | 'unwatch' | 'onHint' | 'onSignal'> {
  detach(): void;
}

export interface Hints {
  attach(): Subscriber;
  emit(hint: Hint): void;
  signal(instance: string, message: string): void;
  beat(instance: string, until: number, now: number): readonly string[];
  deregister(instance: string): void;
}

interface Listeners {
  readonly watched: Set<string>;
  readonly hints: ((hint: Hint) => void)[];
  readonly signals: { readonly instance: string; readonly listener: (message: string) => void }[];
}

export function createHints(): Hints {
  const all = new Set<Listeners>();
  const live = new Map<string, number>();

  return {
    attach(): Subscriber {
      const own: Listeners = { watched: new Set(), hints: [], signals: [] };
      all.add(own);
      return {
        watch: async (sessionId) => void own.watched.add(sessionId),
        unwatch: (sessionId) => void own.watched.delete(sessionId),
        onHint: (listener) => void own.hints.push(listener),
        onSignal: async (instance, listener) => void own.signals.push({ instance, listener }),
        detach: () => void all.delete(own),
      };
    },
    emit(hint) {
      for (const { watched, hints } of all) {
        if (!watched.has(hint.sessionId)) continue;
        for (const listener of hints) queueMicrotask(() => listener(hint));
      }
    },
    signal(instance, message) {
      for (const each of [...all].flatMap(({ signals }) => signals)) {
        if (each.instance === instance) queueMicrotask(() => each.listener(message));
      }
    },
    beat(instance, until, now) {
      live.set(instance, until);
      for (const [name, deadline] of live) if (deadline <= now) live.delete(name);
      return [...live.keys()].sort();
    },
    deregister(instance) {
      live.delete(instance);
    },
  };
}
