/**
 * The keys that data is sealed with, as an operator gives them: `id:base64`, several of them with commas or line ends
 * between. The first one writes, all of them read.
 *
 * The bytes of a key live in a KeyObject, which prints nothing of them, and no message here quotes what was given.
 */
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

export interface DataKey {
  /** Stands in clear beside everything that is sealed with it. */
  readonly id: string;
  readonly secret: KeyObject;
}

export interface SealingKeys {
  /** The first one writes. None: nothing is sealed, and what was sealed is refused. */
  readonly keys: readonly DataKey[];
  /** What becomes of values that were stored without a key. */
  readonly plain: 'read' | 'refuse';
}

export type ParsedKeys =
  | { readonly kind: 'parsed'; readonly value: readonly DataKey[] }
  | { readonly kind: 'wrong'; readonly why: string };

const KEY_BYTES = 32;
const ENTRY = /^([A-Za-z0-9_-]{1,16}):([A-Za-z0-9+/_-]{43}=?)$/;

export function parseKeys(text: string): ParsedKeys {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  if (entries.length === 0) return { kind: 'wrong', why: 'holds no key' };
  const keys: DataKey[] = [];
  for (const [index, entry] of entries.entries()) {
    const [, id, encoded] = ENTRY.exec(entry) ?? [];
    if (id === undefined || encoded === undefined) {
      const form = 'id:base64 of 32 bytes, the id of at most 16 letters, digits, - or _';
      return { kind: 'wrong', why: `key ${index + 1} of ${entries.length} is not ${form}` };
    }
    if (keys.some((key) => key.id === id))
      return { kind: 'wrong', why: `key ${index + 1} has the id of one before it` };
    keys.push({ id, secret: createSecretKey(encoded, 'base64') });
  }
  return { kind: 'parsed', value: keys };
}

/** A key for one purpose: what is known of it says nothing of the key that it came from, nor of its siblings. */
export function keyFor({ secret }: DataKey, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `rehydra/1/${purpose}`, KEY_BYTES)));
}

/**
 * A keyed hash: who lacks the key can neither read what it stands for nor try out guesses.
 * Hexadecimal, because a full-text index folds the case of letters.
 */
export function blindWith(key: KeyObject): (text: string) => string {
  return (text) => createHmac('sha256', key).update(text).digest('hex');
}
