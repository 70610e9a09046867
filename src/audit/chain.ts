/**
 * Chain numbers and seals the lines of one run of an instance.
 *
 *  CHAIN-1  A line takes its place when it is written: a line that was lost or written in part leaves no gap.
 *  CHAIN-2  Each run has a chain of its own under a random name, so two processes never continue the same chain.
 *  CHAIN-3  The first line names the last line of each earlier chain of the file, so that cutting those off shows.
 */
import { type KeyObject, randomBytes } from 'node:crypto';
import { keyFor } from '../sealing/keys.ts';
import { type ChainPoint, seal } from './sealed-line.ts';

export class Chain {
  readonly #id = randomBytes(8).toString('base64url');
  readonly #key: KeyObject;
  #seq = 0;
  #mac = '';

  /** `key` is a key of `chainKey`. */
  constructor(key: KeyObject) {
    this.#key = key;
  }

  /** The next line; the chain moves on with `written` alone (CHAIN-1). */
  seal(text: string): { readonly line: string; readonly written: () => void } {
    const seq = this.#seq + 1;
    const { line, mac } = seal(this.#key, text, { chain: this.#id, seq, prev: this.#mac });
    return {
      line,
      written: () => {
        this.#seq = seq;
        this.#mac = mac;
      },
    };
  }

  /** The last written line. */
  point(): ChainPoint {
    return { chain: this.#id, seq: this.#seq, mac: this.#mac };
  }
}

/** The operator's key seals nothing itself: what else it may be used for stays apart. */
export function chainKey(secret: KeyObject): KeyObject {
  return keyFor({ id: 'audit', secret }, 'audit-chain');
}
