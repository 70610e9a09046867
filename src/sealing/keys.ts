/**
 * Keys reads the data keys of an operator: `id:base64`, separated by commas or line ends. The first key encrypts, all decrypt.
 *
 * The bytes of a key live in a KeyObject, which prints nothing of them. No message here quotes the input.
 */
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface DataKey {
  /** Stored unencrypted beside everything that is sealed with the key. */
  readonly id: string;
  readonly secret: KeyObject;
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
    if (keys.some((key) => key.id === id)) return { kind: 'wrong', why: `key ${index + 1} repeats an id` };
    keys.push({ id, secret: createSecretKey(encoded, 'base64') });
  }
  return { kind: 'parsed', value: keys };
}

/** The reason completes the sentence "the file …". */
export function readKeyFile(path: string): ParsedKeys {
  try {
    return parseKeys(readFileSync(path, 'utf8'));
  } catch {
    return { kind: 'wrong', why: 'cannot be read' };
  }
}

/** A key for one purpose. It reveals neither the data key nor the keys for other purposes. */
export function keyFor({ secret }: DataKey, purpose: string): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `rehydra/1/${purpose}`, KEY_BYTES)));
}

/**
 * A keyed hash: without the key, a reader can neither reverse it nor try out guesses. Hexadecimal, because a full-text
 * index folds the case of letters.
 */
export function blindWith(key: KeyObject): (text: string) => string {
  return (text) => createHmac('sha256', key).update(text).digest('hex');
}
