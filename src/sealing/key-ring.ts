/**
 * KeyRing is the port to the data keys. The environment and a file stand behind it. An adapter for a key management service
 * implements the same three methods: it unwraps its keys when it opens, and again in `reload`.
 *
 *  RING-1  `current` returns the same array until the keys change, so that a text costs one comparison and no derivation.
 *  RING-2  A ring that has keys never becomes empty: the instance would store plain text from then on.
 */
import type { DataKey } from './keys.ts';

export interface KeyRing {
  /** The first key seals, all of them open. Empty: nothing is sealed, and sealed values are refused. */
  current(): readonly DataKey[];
  /**
   * Looks for a key that a stored text names and the ring does not have: another instance may have reloaded earlier. True
   * if the ring has it now.
   */
  finds(id: string): boolean;
  /** Reads the keys again. Keeps the former ones if that fails, and never rejects. */
  reload(): Promise<void>;
}

export interface SealingKeys {
  readonly ring: KeyRing;
  /** Whether values that were stored without a key are read. */
  readonly plain: 'read' | 'refuse';
}

/** A ring whose keys never change, as those of an environment variable. */
export function fixedRing(keys: readonly DataKey[]): KeyRing {
  return { current: () => keys, finds: () => false, reload: async () => {} };
}

export const NO_KEYS: SealingKeys = { ring: fixedRing([]), plain: 'read' };

/** Derives a value from the keys, and again after they changed; `former` helps to keep what has not changed. */
export function followKeys<Derived>(
  ring: KeyRing,
  derive: (keys: readonly DataKey[], former: Derived | null) => Derived,
): () => Derived {
  let keys = ring.current();
  let derived = derive(keys, null);
  return () => {
    const current = ring.current();
    if (current !== keys) {
      derived = derive(current, derived);
      keys = current;
    }
    return derived;
  };
}
